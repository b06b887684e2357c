//! Layers of a small neural network, and how they are trained.
//!
//! Adam is Kingma and Ba's (ICLR 2015). Sums are in an order of our own, which no instruction set changes: forward each
//! output is summed over the inputs in their order, and backward in eight interleaved parts.

use serde::{Deserialize, Serialize};

use super::dot::dot;
use crate::random::Random;

/// A fully connected layer, and what Adam remembers of its gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Layer {
    inputs: u16,
    outputs: u16,
    /// Whether its outputs go through the hyperbolic tangent.
    bent: bool,
    /// The weights of all outputs for one input after another, and for an input that is always 1.
    weights: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
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
        let mut weights: Vec<f32> = (0..inputs * outputs)
            .map(|_| (reach * (2.0 * random.unit() - 1.0)) as f32)
            .collect();
        weights.reserve_exact(outputs);
        weights.resize((inputs + 1) * outputs, 0.0);
        Layer {
            inputs: inputs as u16,
            outputs: outputs as u16,
            bent,
            first: vec![0.0; weights.len()],
            second: vec![0.0; weights.len()],
            weights,
        }
    }

    pub(super) fn inputs(&self) -> usize {
        usize::from(self.inputs)
    }

    fn outputs(&self) -> usize {
        usize::from(self.outputs).max(1)
    }

    /// What comes out.
    pub(super) fn forward(&self, input: &[f32]) -> Vec<f32> {
        let mut output = vec![0.0; usize::from(self.outputs)];
        for (value, weights) in input.iter().chain(&ONE).zip(self.weights.chunks_exact(self.outputs())) {
            for (sum, weight) in output.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
        if self.bent {
            for value in &mut output {
                *value = libm::tanhf(*value);
            }
        }
        output
    }

    /// Adds to `gradient` how the loss changes with each weight, and returns how it changes with each input, where
    /// `slope` says how it does with each output.
    pub(super) fn backward(
        &self,
        input: &[f32],
        output: &[f32],
        mut slope: Vec<f32>,
        gradient: &mut [f32],
    ) -> Vec<f32> {
        if self.bent {
            for (slope, output) in slope.iter_mut().zip(output) {
                *slope *= 1.0 - output * output;
            }
        }
        let chunks = gradient.chunks_exact_mut(self.outputs());
        for (value, sums) in input.iter().chain(&ONE).zip(chunks) {
            for (sum, slope) in sums.iter_mut().zip(&slope) {
                *sum += value * slope;
            }
        }
        let weights = self.weights.chunks_exact(self.outputs());
        weights
            .take(self.inputs())
            .map(|weights| dot(weights, &slope))
            .collect()
    }

    /// A gradient of nothing.
    pub(super) fn gradient(&self) -> Vec<f32> {
        vec![0.0; self.weights.len()]
    }

    /// Moves the weights against the mean of the gradients of `rows` rows.
    pub(super) fn descend(&mut self, gradient: &[f32], rows: f32, step: Step) {
        let averages = self.first.iter_mut().zip(&mut self.second);
        for ((weight, sum), (first, second)) in self.weights.iter_mut().zip(gradient).zip(averages) {
            let slope = sum / rows;
            *first += (1.0 - FIRST) * (slope - *first);
            *second += (1.0 - SECOND) * (slope * slope - *second);
            *weight -= step.rate * *first / ((*second * step.second).sqrt() + EPSILON);
        }
    }

    /// Inputs, outputs, whether they are bent, and the weights.
    #[cfg(test)]
    pub(super) fn written_out(&self) -> (usize, usize, bool, Vec<f64>) {
        let weights = self.weights.iter().map(|weight| f64::from(*weight)).collect();
        (self.inputs(), self.outputs(), self.bent, weights)
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        (self.weights.capacity() + self.first.capacity() + self.second.capacity()) * size_of::<f32>()
    }
}
