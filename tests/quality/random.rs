//! Numbers that look random and are the same in every run and on every machine: nothing here is more than
//! additions, multiplications and square roots, which IEEE 754 defines to the last bit.

/// A generator (`splitmix64`, Steele, Lea, Flood 2014), whose whole state is one number.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From 0 up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 up to `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// As good as Gaussian, with mean 0 and standard deviation 1 (Irwin and Hall).
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Heavy tails: Student's t with three degrees of freedom.
    pub(crate) fn heavy(&mut self) -> f64 {
        let square = |value: f64| value * value;
        let spread = (0..3).map(|_| square(self.normal())).sum::<f64>() / 3.0;
        self.normal() / spread.sqrt().max(1e-3)
    }

    /// How many of many rare things happened, of which `mean` happen usually.
    pub(crate) fn count(&mut self, mean: f64) -> u64 {
        let chance = mean / 50.0;
        (0..50).filter(|_| self.unit() < chance).count() as u64
    }
}
