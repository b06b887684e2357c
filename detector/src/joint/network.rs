//! Layers of a small neural network, and how they are trained.
//!
//! Adam is Kingma and Ba's (ICLR 2015). Sums are in an order of our own, which no instruction set changes: forward each
//! output is summed over the inputs in their order, and backward in eight interleaved parts.

use ndarray::{Array1, Array2, ArrayRef1, Zip};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::dot::dot;
use crate::random::Random;

/// A fully connected layer, and what Adam remembers of its gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Layer {
    /// Whether its outputs go through the hyperbolic tangent.
    bent: bool,
    /// A row for each input and one for an input that is always 1, a column for each output.
    weights: Array2<f32>,
    /// The averages of the gradients and of their squares.
    first: Array2<f32>,
    second: Array2<f32>,
}

/// Reads layers that take what the one before gives; the second gives `PER_UNIT` numbers for each unit of the narrow
/// layer. It is an error when their shapes do not go together: arrays of different shapes cannot be added.
pub(super) fn read<'de, D, const PER_UNIT: usize>(from: D) -> Result<[Layer; 4], D::Error>
where
    D: Deserializer<'de>,
{
    let layers = <[Layer; 4]>::deserialize(from)?;
    let [a, b, c, d] = &layers;
    let chained = d.outputs() == a.inputs()
        && a.outputs() == b.inputs()
        && b.outputs() == PER_UNIT * c.inputs()
        && c.outputs() == d.inputs();
    let whole = |layer: &Layer| {
        let shape = layer.weights.dim();
        shape.0 > 0 && layer.first.dim() == shape && layer.second.dim() == shape
    };
    if chained && layers.iter().all(whole) {
        Ok(layers)
    } else {
        Err(D::Error::custom("layers that do not go together"))
    }
}

/// How far along Adam is: what its averages have still to make up for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Adam {
    first: f64,
    second: f64,
}

const FIRST: f32 = 0.9;
const SECOND: f32 = 0.999;
const EPSILON: f32 = 1e-8;
const ONE: [f32; 1] = [1.0];

impl Adam {
    pub(super) fn new() -> Self {
        Adam {
            first: 1.0,
            second: 1.0,
        }
    }

    /// The next step of this rate, and by what squares of gradients are to be multiplied.
    pub(super) fn next(&mut self, rate: f64) -> Step {
        self.first *= f64::from(FIRST);
        self.second *= f64::from(SECOND);
        Step {
            rate: (rate / (1.0 - self.first)) as f32,
            second: (1.0 / (1.0 - self.second)) as f32,
        }
    }
}

/// One step of training.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    rate: f32,
    second: f32,
}

impl Layer {
    /// A layer whose weights are random (Glorot and Bengio, AISTATS 2010).
    pub(super) fn new(inputs: usize, outputs: usize, bent: bool, random: &mut Random) -> Self {
        let reach = (6.0 / (inputs + outputs).max(1) as f64).sqrt();
        let shape = (inputs + 1, outputs);
        let weights = Array2::from_shape_fn(shape, |(input, _)| {
            if input < inputs {
                (reach * (2.0 * random.unit() - 1.0)) as f32
            } else {
                0.0
            }
        });
        Layer {
            bent,
            weights,
            first: Array2::zeros(shape),
            second: Array2::zeros(shape),
        }
    }

    pub(super) fn inputs(&self) -> usize {
        self.weights.nrows().saturating_sub(1)
    }

    fn outputs(&self) -> usize {
        self.weights.ncols()
    }

    /// What comes out.
    pub(super) fn forward(&self, input: &ArrayRef1<f32>) -> Array1<f32> {
        let mut output = Array1::zeros(self.outputs());
        for (value, weights) in input.iter().chain(&ONE).zip(self.weights.rows()) {
            output.scaled_add(*value, &weights);
        }
        if self.bent {
            output.mapv_inplace(libm::tanhf);
        }
        output
    }

    /// Adds to `gradient` how the loss changes with each weight, and returns how it changes with each input, where
    /// `slope` says how it does with each output.
    pub(super) fn backward(
        &self,
        input: &ArrayRef1<f32>,
        output: &ArrayRef1<f32>,
        mut slope: Array1<f32>,
        gradient: &mut Array2<f32>,
    ) -> Array1<f32> {
        if self.bent {
            slope.zip_mut_with(output, |slope, output| *slope *= 1.0 - output * output);
        }
        for (value, mut sums) in input.iter().chain(&ONE).zip(gradient.rows_mut()) {
            sums.scaled_add(*value, &slope);
        }
        let weights = self.weights.rows().into_iter().take(self.inputs());
        weights.map(|weights| dot(&weights, &slope)).collect()
    }

    /// A gradient of nothing.
    pub(super) fn gradient(&self) -> Array2<f32> {
        Array2::zeros(self.weights.raw_dim())
    }

    /// Moves the weights against the mean of the gradients of `rows` rows.
    pub(super) fn descend(&mut self, gradient: &Array2<f32>, rows: f32, step: Step) {
        Zip::from(&mut self.weights)
            .and(gradient)
            .and(&mut self.first)
            .and(&mut self.second)
            .for_each(|weight, sum, first, second| {
                let slope = sum / rows;
                *first += (1.0 - FIRST) * (slope - *first);
                *second += (1.0 - SECOND) * (slope * slope - *second);
                *weight -= step.rate * *first / ((*second * step.second).sqrt() + EPSILON);
            });
    }

    /// Inputs, outputs, whether they are bent, and the weights.
    #[cfg(test)]
    pub(super) fn written_out(&self) -> (usize, usize, bool, Vec<f64>) {
        let weights = self.weights.iter().map(|weight| f64::from(*weight)).collect();
        (self.inputs(), self.outputs(), self.bent, weights)
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        (self.weights.len() + self.first.len() + self.second.len()) * size_of::<f32>()
    }
}
