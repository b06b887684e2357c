use proptest::prelude::*;

use super::network::Layer;
use super::reservoir::{BLOCK, Nearest, Reservoir};
use super::*;

fn finite(values: impl IntoIterator<Item = f64>) -> Vec<Finite> {
    values.into_iter().filter_map(Finite::new).collect()
}

/// Noise that is the same in every run.
fn noise(random: &mut Random) -> f64 {
    (0..4).map(|_| random.unit() - 0.5).sum::<f64>() * 1.7
}

/// What scikit-learn was asked, and by the name of its columns what it answered: `tests/joint/make.py`.
const WIDTH: usize = 6;

fn reference() -> Vec<Finite> {
    let text = include_str!("../../tests/joint/reference.csv");
    let cells = text.lines().skip(1).flat_map(|line| line.split(','));
    finite(cells.map(|cell| cell.parse().unwrap()))
}

fn check_against_scikit_learn(column: &str, tolerance: f64, score: impl Fn(&[Finite]) -> f64) {
    let text = include_str!("../../tests/joint/asked.csv");
    let place = text
        .lines()
        .next()
        .unwrap()
        .split(',')
        .position(|name| name == column)
        .unwrap();
    for line in text.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let (ours, theirs) = (score(&finite(cells[..WIDTH].iter().copied())), cells[place]);
        assert!(
            (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0),
            "{column}: {ours}, not {theirs}"
        );
    }
}

#[test]
fn principal_components_leave_what_they_leave_in_scikit_learn() {
    let reference = reference();
    let pca = Pca::fit(Table::new(WIDTH, &reference).unwrap());
    check_against_scikit_learn("pca", 1e-10, |row| pca.score(row).unwrap());
}

#[test]
fn followed_components_are_those_of_the_rows_so_far() {
    let reference = reference();
    let mut followed = Pca::new(WIDTH);
    for row in reference.chunks_exact(WIDTH) {
        followed.learn(row, 1.0);
    }
    // They were found for 32 rows, and anew for 96 and for 160.
    let fitted = Pca::fit(Table::new(WIDTH, &reference[..160 * WIDTH]).unwrap());
    assert_eq!(followed.directions, fitted.directions);
}

#[test]
fn neighbours_are_as_far_as_in_scikit_learn() {
    let reference = reference();
    let neighbours = Neighbours::fit(Table::new(WIDTH, &reference).unwrap(), Random::new(0, 0));
    check_against_scikit_learn("neighbours", 1e-6, |row| neighbours.score(row).unwrap());
}

#[test]
fn the_nearest_are_those_that_sorting_finds() {
    let mut random = Random::new(1, 0);
    for wanted in [1, 5, 20] {
        let mut nearest = Nearest::new(wanted);
        for count in [0, 1, 4, 30, BLOCK] {
            // Many are equally far.
            let squares: Vec<f32> = (0..count).map(|_| random.below(60) as f32).collect();
            let but = random.below(300);
            let mut sorted: Vec<_> = squares.iter().enumerate().filter(|(place, _)| *place != but).collect();
            sorted.sort_by(|a, b| a.1.total_cmp(b.1));
            nearest.find(&squares, Some(but));
            let found: Vec<_> = nearest.found().collect();
            let sorted: Vec<_> = sorted.iter().map(|(place, square)| (**square, *place)).collect();
            assert_eq!(found, sorted[..sorted.len().min(usize::from(wanted))]);
        }
    }
}

#[test]
fn a_reservoir_is_full_of_rows_of_about_the_last_horizon() {
    let mut reservoir = Reservoir::new(1, 2, 2048, Random::new(3, 0));
    let mut row = [0.0];
    for n in 0..20_000 {
        reservoir.learn(&[n as f32], 1.0);
        assert!(reservoir.rows() == (n + 1).min(2 * BLOCK));
    }
    reservoir.learn(&[1e6], 0.0);
    let ages: Vec<f32> = (0..2 * BLOCK)
        .map(|place| {
            reservoir.blocks()[place / BLOCK].row(place % BLOCK, &mut row);
            19_999.0 - row[0]
        })
        .collect();
    let mean = ages.iter().sum::<f32>() / ages.len() as f32;
    assert!((1800.0..2300.0).contains(&mean), "{mean}");
    assert!(ages.iter().all(|age| *age >= 0.0));
}

/// Three things that move six metrics, and a little of each metric's own.
fn together(random: &mut Random) -> Vec<f64> {
    let [a, b, c] = [noise(random), noise(random), noise(random)];
    let of = [a, b, c, a + b, b - c, a - c];
    of.into_iter().map(|value| value + 0.1 * noise(random)).collect()
}

#[test]
fn what_does_not_go_together_is_strange_and_told_by_its_part() {
    // A forest looks at one feature at a time, and sees little of this.
    for model in JointModel::ALL.into_iter().skip(1) {
        let mut random = Random::new(9, 0);
        let mut joint = Joint::new(model, WIDTH, 0);
        for _ in 0..3000 {
            let row = finite(together(&mut random));
            joint.learn(&row, 1.0);
        }
        let mut scores: Vec<f64> = (0..400)
            .map(|_| joint.score(&finite(together(&mut random))).unwrap())
            .collect();
        scores.sort_by(f64::total_cmp);
        let (mut above, mut named) = (0, 0);
        for _ in 0..100 {
            let mut row = together(&mut random);
            // No value is strange by itself.
            row[3] = if row[3] > 0.0 { -2.5 } else { 2.5 };
            let row = finite(row);
            above += i32::from(joint.score(&row).unwrap() > scores[380]);
            let parts = joint.parts(&row);
            let mut order: Vec<usize> = (0..WIDTH).collect();
            order.sort_by(|a, b| parts[*b].total_cmp(&parts[*a]));
            named += i32::from(order[0] == 3);
        }
        println!("{model:?}: {above} above, {named} named");
        assert!(above >= 90 && named >= 60, "{model:?}: {above} above, {named} named");
    }
}

#[test]
fn what_is_anomalous_is_hardly_learned() {
    for model in JointModel::ALL {
        let mut random = Random::new(9, 0);
        let mut joint = Joint::new(model, WIDTH, 0);
        for _ in 0..3000 {
            joint.learn(&finite(together(&mut random)), 1.0);
        }
        let strange = |random: &mut Random| {
            let mut row = together(random);
            row[1] += 6.0;
            finite(row)
        };
        let asked = strange(&mut random);
        let before = joint.score(&asked).unwrap();
        let mut guarded = joint.clone();
        for _ in 0..3000 {
            let row = strange(&mut random);
            joint.learn(&row, 1.0);
            guarded.learn(&row, 0.0);
        }
        let (open, guarded) = (joint.score(&asked).unwrap(), guarded.score(&asked).unwrap());
        println!("{model:?}: {before} {guarded} {open}");
        assert!(open < 0.9 * before, "{model:?}: {open} after {before}");
        assert!((guarded - before).abs() < 1e-9, "{model:?}: {guarded} after {before}");
    }
}

#[test]
fn memory_is_bounded() {
    for model in JointModel::ALL {
        for width in [3, 20, 64, 300] {
            let mut random = Random::new(9, 0);
            let mut joint = Joint::new(model, width, 0);
            for n in 0..5000 {
                let row = finite((0..width).map(|_| noise(&mut random)));
                joint.learn(&row, if n % 7 == 0 { 0.1 } else { 1.0 });
                if width > 20 && n > 1100 {
                    break;
                }
            }
            println!("{model:?} of {width}: {} bytes", joint.bytes());
            assert!(
                joint.bytes() < most_bytes(model, width),
                "{model:?} of {width}: {}",
                joint.bytes()
            );
        }
    }
}

/// Half the summed squares of the errors, in twice the precision and with all weights written out: what the gradient is
/// checked against.
fn slow_loss(layers: &[(usize, usize, bool, Vec<f64>)], row: &[f64]) -> f64 {
    let mut values = row.to_vec();
    for (inputs, outputs, bent, weights) in layers {
        values = (0..*outputs)
            .map(|output| {
                let sum: f64 = (0..*inputs)
                    .map(|input| values[input] * weights[input * outputs + output])
                    .sum();
                let sum = sum + weights[inputs * outputs + output];
                if *bent { libm::tanh(sum) } else { sum }
            })
            .collect();
    }
    values
        .iter()
        .zip(row)
        .map(|(answer, value)| 0.5 * (answer - value) * (answer - value))
        .sum()
}

#[test]
fn the_gradient_of_an_autoencoder_is_that_of_finite_differences() {
    let mut random = Random::new(4, 0);
    let coder = Autoencoder::new(WIDTH, Random::new(5, 0));
    let row: Vec<f64> = (0..WIDTH).map(|_| noise(&mut random)).collect();
    let told: Vec<f32> = row.iter().map(|value| *value as f32).collect();
    let mut gradients = coder.layers.each_ref().map(Layer::gradient);
    coder.slopes(&told, &mut gradients);
    let mut layers: Vec<_> = coder.layers.iter().map(Layer::written_out).collect();
    let row: Vec<f64> = told.iter().map(|value| f64::from(*value)).collect();
    let mut checked = 0;
    for (which, gradient) in gradients.iter().enumerate() {
        for (place, ours) in gradient.iter().enumerate() {
            let mut at = |move_by: f64| {
                layers[which].3[place] += move_by;
                let loss = slow_loss(&layers, &row);
                layers[which].3[place] -= move_by;
                loss
            };
            let theirs = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (f64::from(*ours) - theirs).abs() < 1e-5,
                "{which} {place}: {ours}, not {theirs}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, (6 + 1) * 32 + (32 + 1) * 3 + (3 + 1) * 32 + (32 + 1) * 6);
}

/// What a model of so many features can hold.
fn most_bytes(model: JointModel, width: usize) -> usize {
    let width = width.min(256);
    match model {
        JointModel::Forest => 32 * 1300 + 256 * width + 1000,
        JointModel::Pca => 12 * width.min(64) * width.min(64) + 8 * width.min(64) + 1000,
        JointModel::Neighbours => 4096 * width + 1000,
        JointModel::Autoencoder => (2048 + 12 * 65) * width + 10_000,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_stream_can_be_cut_anywhere_and_holds_any_number(
        model in prop::sample::select(JointModel::ALL.to_vec()),
        width in 0..9_usize,
        cut in 0..400_usize,
        seed in 0..1000_u64,
        wild in prop::collection::vec(prop_oneof![Just(0.0), Just(f64::MAX), Just(-f64::MAX), Just(1e-300), -50.0..50.0], 1..40),
    ) {
        let mut random = Random::new(seed, 1);
        let mut joint = Joint::new(model, width, seed);
        for number in 0..400 {
            if number == cut {
                let bytes = postcard::to_allocvec(&joint).unwrap();
                let again: Joint = postcard::from_bytes(&bytes).unwrap();
                prop_assert_eq!(&again, &joint);
                joint = again;
            }
            let mut row: Vec<f64> = (0..width).map(|_| noise(&mut random)).collect();
            for value in row.iter_mut().filter(|_| number % 5 == 0) {
                *value = wild[random.below(wild.len())];
            }
            // Shorter and longer rows come, too.
            row.resize(width.saturating_add(random.below(3)).saturating_sub(1), 1.0);
            let row = finite(row);
            if let Some(score) = joint.score(&row) {
                prop_assert!(score.is_finite() && score >= 0.0, "{:?}: {}", model, score);
            }
            prop_assert!(joint.parts(&row).iter().all(|part| part.is_finite() && *part >= 0.0));
            joint.learn(&row, [1.0, 0.1, 0.0][number % 3]);
        }
    }
}
