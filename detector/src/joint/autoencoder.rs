//! An autoencoder: how far a row is from what a narrow neural network makes of it.
//!
//! Hawkins, He, Williams and Baxter, *Outlier Detection Using Replicator Neural Networks*, DaWaK 2002. Layers of 32, 8
//! and 32 units with hyperbolic tangents, the narrow one half as wide as the row at most, and outputs without. It is
//! trained on a sample of the past: with each row at first, and with every sixteenth, in smaller steps, when it has seen
//! enough to follow slowly.

use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use super::near;
use super::network::{self, Adam, Layer, Step};
use super::reservoir::Reservoir;
use crate::event::Finite;
use crate::forest::Table;
use crate::random::Random;

/// The network and the rows that it is trained with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Autoencoder {
    #[serde(deserialize_with = "network::read::<_, 1>")]
    pub(super) layers: [Layer; 4],
    course: Course,
}

/// When a network is trained, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Course {
    adam: Adam,
    /// Rows that were learned, anomalous ones by their weight, and those since the last step.
    seen: f64,
    waited: f64,
    past: Reservoir,
}

/// Units of the layers on both sides of the narrow one, and of that at most.
pub(super) const WIDE: usize = 32;
const NARROW: usize = 8;
/// What is told to the network is at most this far from what is usual; how far a value is from its answer is told of
/// values that are farther, too.
const FARTHEST_IN: f64 = 8.0;
const FARTHEST: f64 = 32.0;
/// Rows of a step.
const BATCH: usize = 16;
/// The past is a sample of so many blocks, of about the last so many rows.
const BLOCKS: u16 = 2;
const HORIZON: u32 = 8192;
/// From so many rows on it is trained, and asked.
const FEWEST: f64 = 64.0;
const ASKED_FROM: f64 = 256.0;
/// So many rows long a step is taken with each row.
const EAGER: f64 = 4096.0;
const EAGER_RATE: f64 = 2e-3;
const SLOW_RATE: f64 = 5e-4;
/// Steps of a network that is fitted to a table.
const STEPS: usize = 4096;

impl Course {
    pub(super) fn new(width: usize, random: Random) -> Self {
        Course {
            adam: Adam::new(),
            seen: 0.0,
            waited: 0.0,
            past: Reservoir::new(width, BLOCKS, HORIZON, random),
        }
    }

    /// Whether the network has been trained enough to be asked.
    pub(super) fn is_asked(&self) -> bool {
        self.seen >= ASKED_FROM
    }

    /// Learns a row and says what step to take.
    pub(super) fn learn(&mut self, row: &[f32], weight: f64) -> Option<Step> {
        let weight = weight.clamp(0.0, 1.0);
        self.past.learn(row, weight);
        self.seen += weight;
        self.waited += weight;
        let (every, rate) = if self.seen < EAGER {
            (1.0, EAGER_RATE)
        } else {
            (BATCH as f64, SLOW_RATE)
        };
        if self.seen < FEWEST || self.waited < every {
            return None;
        }
        self.waited = 0.0;
        Some(self.adam.next(rate))
    }

    /// Rows to train with.
    pub(super) fn batch(&mut self) -> Vec<Vec<f32>> {
        let mut rows = vec![vec![0.0; self.past.width()]; BATCH];
        for row in &mut rows {
            self.past.pick(row);
        }
        rows
    }

    /// Has `step` taken with random rows of a table, so many times as a table needs.
    pub(super) fn fit(&mut self, table: Table<'_>, mut random: Random, mut descend: impl FnMut(&[Vec<f32>], Step)) {
        for _ in 0..STEPS {
            let rows: Vec<_> = (0..BATCH)
                .filter_map(|_| {
                    let place = random.below(table.rows());
                    Some(told(table.each().nth(place)?, table.width()))
                })
                .collect();
            descend(&rows, self.adam.next(EAGER_RATE));
        }
        self.seen = EAGER;
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.past.bytes()
    }
}

/// Units of the narrow layer: what has room for the whole row has nothing to leave out.
pub(super) fn narrow(width: usize) -> usize {
    (width / 2).clamp(1, NARROW)
}

/// What is told to a network of a row.
pub(super) fn told(row: &[Finite], width: usize) -> Vec<f32> {
    near(row, width, FARTHEST_IN)
}

/// How far each value is from the answer.
pub(super) fn errors<'a>(row: &[Finite], answer: &'a Array1<f32>) -> impl Iterator<Item = f64> + 'a {
    let row = near(row, answer.len(), FARTHEST);
    row.into_iter()
        .zip(answer)
        .map(|(value, answer)| f64::from(value - answer))
}

/// How far the answer is from what was told.
pub(super) fn away(answer: &Array1<f32>, row: &[f32]) -> Array1<f32> {
    let mut away = answer.clone();
    for (answer, value) in away.iter_mut().zip(row) {
        *answer -= value;
    }
    away
}

impl Autoencoder {
    pub(super) fn new(width: usize, mut random: Random) -> Self {
        let narrow = narrow(width);
        let sizes = [(width, WIDE), (WIDE, narrow), (narrow, WIDE), (WIDE, width)];
        let mut last = sizes.len();
        let layers = sizes.map(|(inputs, outputs)| {
            last -= 1;
            Layer::new(inputs, outputs, last > 0, &mut random)
        });
        Autoencoder {
            layers,
            course: Course::new(width, random),
        }
    }

    pub(super) fn fit(table: Table<'_>, random: Random) -> Self {
        let mut coder = Autoencoder::new(table.width(), random.clone());
        let mut course = coder.course.clone();
        course.fit(table, random, |rows, step| coder.descend(rows, step));
        coder.course = course;
        coder
    }

    /// The root of the summed squares of the errors; `None` before it has learned enough.
    pub(super) fn score(&self, row: &[Finite]) -> Option<f64> {
        if !self.course.is_asked() {
            return None;
        }
        let squares: f64 = self.parts(row).iter().sum();
        Some(squares.sqrt())
    }

    /// The squared error of each feature.
    pub(super) fn parts(&self, row: &[Finite]) -> Vec<f64> {
        let [.., answer] = self.pass(&told(row, self.width()));
        errors(row, &answer).map(|error| error * error).collect()
    }

    pub(super) fn learn(&mut self, row: &[Finite], weight: f64) {
        if let Some(step) = self.course.learn(&told(row, self.width()), weight) {
            let rows = self.course.batch();
            self.descend(&rows, step);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Autoencoder>() + self.layers.iter().map(Layer::bytes).sum::<usize>() + self.course.bytes()
    }

    fn width(&self) -> usize {
        let [first, ..] = &self.layers;
        first.inputs()
    }

    /// What comes out of each layer.
    fn pass(&self, row: &[f32]) -> [Array1<f32>; 4] {
        let [a, b, c, d] = &self.layers;
        let first = a.forward(&ArrayView1::from(row));
        let code = b.forward(&first);
        let third = c.forward(&code);
        let answer = d.forward(&third);
        [first, code, third, answer]
    }

    /// Adds to `gradients` how half the summed squares of a row's errors change with each weight.
    pub(super) fn slopes(&self, row: &[f32], gradients: &mut [Array2<f32>; 4]) {
        let [first, code, third, answer] = self.pass(row);
        let [a, b, c, d] = &self.layers;
        let [of_a, of_b, of_c, of_d] = gradients;
        let slope = d.backward(&third, &answer, away(&answer, row), of_d);
        let slope = c.backward(&code, &third, slope, of_c);
        let slope = b.backward(&first, &code, slope, of_b);
        a.backward(&ArrayView1::from(row), &first, slope, of_a);
    }

    fn descend(&mut self, rows: &[Vec<f32>], step: Step) {
        let mut gradients = self.layers.each_ref().map(Layer::gradient);
        for row in rows {
            self.slopes(row, &mut gradients);
        }
        for (layer, gradient) in self.layers.iter_mut().zip(&gradients) {
            layer.descend(gradient, rows.len() as f32, step);
        }
    }
}
