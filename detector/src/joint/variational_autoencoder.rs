//! A variational autoencoder: how unlikely a row is to a neural network that makes rows from random numbers.
//!
//! Kingma and Welling, *Auto-Encoding Variational Bayes*, ICLR 2014. The layers are those of the autoencoder, but that
//! the narrow one is a normal distribution for each unit, and trained on numbers drawn from it. Where we differ: the
//! noise of the rows themselves is fixed; and a row is scored by the mean of its distribution, without a draw, so that
//! it has one score.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};

use super::autoencoder::{Course, WIDE, away, errors, narrow, told};
use super::network::{self, Layer, Step};
use crate::event::Finite;
use crate::forest::Table;
use crate::random::Random;

/// The network, the rows that it is trained with, and what it draws from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariationalAutoencoder {
    #[serde(deserialize_with = "network::read::<_, 2>")]
    pub(super) layers: [Layer; 4],
    course: Course,
    random: Random,
}

/// The variance of a value that the network is not meant to explain, where 1 is usual: a tenth, as with the principal
/// components.
pub(super) const NOISE: f32 = 0.1;
/// Logarithms of variances are within this of 0.
const WIDEST: f32 = 8.0;

/// What a row becomes on its way through the network.
struct Pass {
    first: Array1<f32>,
    /// The means of the narrow layer, then the logarithms of its variances.
    code: Array1<f32>,
    drawn: Array1<f32>,
    third: Array1<f32>,
    answer: Array1<f32>,
}

impl VariationalAutoencoder {
    pub(super) fn new(width: usize, mut random: Random) -> Self {
        let narrow = narrow(width);
        let layers = [
            Layer::new(width, WIDE, true, &mut random),
            Layer::new(WIDE, 2 * narrow, false, &mut random),
            Layer::new(narrow, WIDE, true, &mut random),
            Layer::new(WIDE, width, false, &mut random),
        ];
        VariationalAutoencoder {
            layers,
            course: Course::new(width, random.clone()),
            random,
        }
    }

    pub(super) fn fit(table: Table<'_>, random: Random) -> Self {
        let mut coder = VariationalAutoencoder::new(table.width(), random.clone());
        let mut course = coder.course.clone();
        course.fit(table, random, |rows, step| coder.descend(rows, step));
        coder.course = course;
        coder
    }

    /// The root of the summed squares of the errors and of what the distribution costs: twice the negative lower bound
    /// of the logarithm of the row's likelihood, in units of deviations. `None` before it has learned enough.
    pub(super) fn score(&self, row: &[Finite]) -> Option<f64> {
        if !self.course.is_asked() {
            return None;
        }
        let pass = self.pass(&told(row, self.width()), &[]);
        let squares: f64 = errors(row, &pass.answer).map(|error| error * error).sum();
        let cost = 2.0 * f64::from(NOISE) * cost(&pass.code);
        Some((squares + cost).sqrt())
    }

    /// The squared error of each feature.
    pub(super) fn parts(&self, row: &[Finite]) -> Vec<f64> {
        let pass = self.pass(&told(row, self.width()), &[]);
        errors(row, &pass.answer).map(|error| error * error).collect()
    }

    pub(super) fn learn(&mut self, row: &[Finite], weight: f64) {
        if let Some(step) = self.course.learn(&told(row, self.width()), weight) {
            let rows = self.course.batch();
            self.descend(&rows, step);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        size_of::<VariationalAutoencoder>() + layers + self.course.bytes()
    }

    fn width(&self) -> usize {
        let [first, ..] = &self.layers;
        first.inputs()
    }

    fn narrow(&self) -> usize {
        let [_, _, third, _] = &self.layers;
        third.inputs()
    }

    /// The way of a row; without noise, that of the mean.
    fn pass(&self, row: &[f32], noise: &[f32]) -> Pass {
        let [a, b, c, d] = &self.layers;
        let first = a.forward(&ArrayView1::from(row));
        let code = b.forward(&first);
        let (means, spreads) = halves(&code);
        let mut drawn = means.to_owned();
        for ((drawn, spread), noise) in drawn.iter_mut().zip(spreads).zip(noise) {
            *drawn += libm::expf(0.5 * within(*spread)) * noise;
        }
        let third = c.forward(&drawn);
        let answer = d.forward(&third);
        Pass {
            first,
            code,
            drawn,
            third,
            answer,
        }
    }

    /// Adds to `gradients` how the loss of a row changes with each weight: half the summed squares of its errors in
    /// units of the noise, and what its distribution costs.
    pub(super) fn slopes(&self, row: &[f32], noise: &[f32], gradients: &mut [Array2<f32>; 4]) {
        let pass = self.pass(row, noise);
        let [a, b, c, d] = &self.layers;
        let [of_a, of_b, of_c, of_d] = gradients;
        let slope = away(&pass.answer, row) / NOISE;
        let slope = d.backward(&pass.third, &pass.answer, slope, of_d);
        let of_drawn = c.backward(&pass.drawn, &pass.third, slope, of_c);
        let (means, spreads) = halves(&pass.code);
        let of_spreads = of_drawn.iter().zip(spreads).zip(noise).map(|((slope, spread), noise)| {
            if spread.abs() > WIDEST {
                // Beyond the bound nothing changes.
                return 0.0;
            }
            0.5 * (slope * libm::expf(0.5 * spread) * noise + libm::expf(*spread) - 1.0)
        });
        let of_means = of_drawn.iter().zip(means).map(|(slope, mean)| slope + mean);
        let slope = of_means.chain(of_spreads).collect();
        let slope = b.backward(&pass.first, &pass.code, slope, of_b);
        a.backward(&ArrayView1::from(row), &pass.first, slope, of_a);
    }

    fn descend(&mut self, rows: &[Vec<f32>], step: Step) {
        let mut gradients = self.layers.each_ref().map(Layer::gradient);
        let mut noise = vec![0.0; self.narrow()];
        for row in rows {
            for noise in &mut noise {
                *noise = self.random.normal() as f32;
            }
            self.slopes(row, &noise, &mut gradients);
        }
        for (layer, gradient) in self.layers.iter_mut().zip(&gradients) {
            layer.descend(gradient, rows.len() as f32, step);
        }
    }
}

/// How far the distribution of a row is from that which numbers are drawn from when there is no row (the divergence of
/// Kullback and Leibler).
fn cost(code: &Array1<f32>) -> f64 {
    let (means, spreads) = halves(code);
    let units = means.iter().zip(spreads).map(|(mean, spread)| {
        let (mean, spread) = (f64::from(*mean), f64::from(within(*spread)));
        0.5 * (mean * mean + libm::exp(spread) - spread - 1.0)
    });
    units.sum()
}

fn halves(code: &Array1<f32>) -> (ArrayView1<'_, f32>, ArrayView1<'_, f32>) {
    code.view().split_at(Axis(0), code.len() / 2)
}

fn within(spread: f32) -> f32 {
    spread.clamp(-WIDEST, WIDEST)
}
