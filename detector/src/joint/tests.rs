use ndarray::Array2;
use proptest::prelude::*;

use super::half_space_trees::{FEW, LEVELS, WINDOW, strangeness};
use super::network::Layer;
use super::reservoir::{BLOCK, Nearest, Reservoir};
use super::variational_autoencoder::NOISE;
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
fn the_local_outlier_factor_is_that_of_scikit_learn() {
    let reference = reference();
    let table = Table::new(WIDTH, &reference).unwrap();
    // Its floor against distances of nothing is lower than ours.
    let followed = |floor: f64| {
        let mut factor = LocalOutlierFactor::new(WIDTH, Random::new(0, 0));
        factor.floor = floor;
        // The second time nothing is taken in, and all rows have had their turn when all is over.
        for weight in [1.0, 1e-300, 1e-300] {
            for row in reference.chunks_exact(WIDTH) {
                factor.learn(row, weight);
            }
        }
        factor
    };
    let theirs = followed(1e-10);
    check_against_scikit_learn("local_outlier_factor", 1e-6, |row| theirs.score(row).unwrap());
    let ours = followed(LocalOutlierFactor::new(WIDTH, Random::new(0, 0)).floor);
    check_against_scikit_learn("local_outlier_factor", 0.02, |row| ours.score(row).unwrap());
    // All rows are in the sample.
    let fitted = LocalOutlierFactor::fit(table, Random::new(1, 0));
    for row in reference.chunks_exact(WIDTH) {
        let (ours, fitted) = (ours.score(row).unwrap(), fitted.score(row).unwrap());
        assert!((ours - fitted).abs() < 1e-9, "{ours} {fitted}");
    }
}

/// Every node of the tree by its path, with the rows of the window counted one by one: the definition of the paper.
#[test]
fn half_space_trees_have_the_mass_that_counting_finds() {
    const ROWS: u32 = 3 * WINDOW + 17;
    let mut random = Random::new(2, 0);
    let mut trees = HalfSpaceTrees::new(3, Random::new(1, 0));
    let rows: Vec<_> = (0..ROWS)
        .map(|_| finite((0..3).map(|_| 2.0 * noise(&mut random))))
        .collect();
    for row in &rows {
        trees.learn(row, 1.0);
    }
    let window: Vec<_> = rows[2 * WINDOW as usize..3 * WINDOW as usize]
        .iter()
        .map(|row| trees.places(row))
        .collect();
    let asked = (0..50).map(|n| finite((0..3).map(|_| f64::from(n) * 0.2 * noise(&mut random))));
    for row in asked {
        let place = trees.places(&row);
        let mut mass = 0.0;
        for tree in &trees.trees {
            // The rows that are on the same side of every edge so far.
            let (mut same, mut node, mut level): (Vec<_>, _, _) = (window.iter().collect(), 0, 0);
            while level < LEVELS && same.len() as f64 > FEW * f64::from(WINDOW) {
                let (feature, edge) = (usize::from(tree.features[node]), tree.edges[node]);
                assert_eq!(usize::from(tree.before[node]), same.len());
                same.retain(|other| (other[feature] < edge) == (place[feature] < edge));
                node = 2 * node + if place[feature] < edge { 1 } else { 2 };
                level += 1;
            }
            mass += same.len() as f64 * f64::from(1 << level) / f64::from(WINDOW);
        }
        let slow = strangeness(mass / trees.trees.len() as f64, WINDOW);
        assert!((trees.score(&row).unwrap() - slow).abs() < 1e-12);
    }
}

#[test]
fn half_spaces_are_halved_down_to_the_last_level() {
    let trees = HalfSpaceTrees::new(2, Random::new(1, 0));
    for tree in &trees.trees {
        let (mut low, mut high, mut node) = ([f64::NEG_INFINITY; 2], [f64::INFINITY; 2], 0);
        // Along the path of the middle each edge is within what the edges before have left.
        while node < tree.features.len() {
            let (feature, edge) = (usize::from(tree.features[node]), f64::from(tree.edges[node]));
            assert!(
                low[feature] < edge && edge < high[feature],
                "{edge} in {low:?} to {high:?}"
            );
            if low[feature].is_finite() && high[feature].is_finite() {
                let middle = 0.5 * (low[feature] + high[feature]);
                assert!((edge - middle).abs() < 1e-6, "{edge} in {low:?} to {high:?}");
            }
            node = 2 * node + if edge > 0.5 { 1 } else { 2 };
            let side = if edge > 0.5 { &mut high } else { &mut low };
            side[feature] = edge;
        }
        assert_eq!(tree.features.len(), (1 << LEVELS) - 1);
    }
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
    // Trees look at one feature at a time, and see little of this.
    for model in JointModel::ALL.into_iter().skip(2) {
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
        assert!(above >= 80 && named >= 80, "{model:?}: {above} above, {named} named");
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
                joint.bytes() <= model.most_bytes(width),
                "{model:?} of {width}: {}",
                joint.bytes()
            );
        }
    }
}

/// What comes out of layers, in twice the precision and with all weights written out.
fn slow_pass(layers: &[(usize, usize, bool, Vec<f64>)], row: &[f64]) -> Vec<f64> {
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
}

fn half_squares(answer: &[f64], row: &[f64]) -> f64 {
    answer
        .iter()
        .zip(row)
        .map(|(answer, value)| 0.5 * (answer - value) * (answer - value))
        .sum()
}

/// Compares gradients with what the loss changes by when each weight is moved a little, and returns how many there were.
fn check_gradients(
    gradients: &[Array2<f32>; 4],
    layers: &[Layer; 4],
    loss: impl Fn(&[(usize, usize, bool, Vec<f64>)]) -> f64,
) -> usize {
    let mut layers: Vec<_> = layers.iter().map(Layer::written_out).collect();
    let mut checked = 0;
    for (which, gradient) in gradients.iter().enumerate() {
        for (place, ours) in gradient.iter().enumerate() {
            let mut at = |move_by: f64| {
                layers[which].3[place] += move_by;
                let loss = loss(&layers);
                layers[which].3[place] -= move_by;
                loss
            };
            let theirs = (at(1e-5) - at(-1e-5)) / 2e-5;
            let within = 1e-5 * theirs.abs().max(1.0);
            assert!(
                (f64::from(*ours) - theirs).abs() < within,
                "{which} {place}: {ours}, not {theirs}"
            );
            checked += 1;
        }
    }
    checked
}

/// A row as a network is told it, and as it is.
fn row_for_gradients() -> (Vec<f32>, Vec<f64>) {
    let mut random = Random::new(4, 0);
    let told: Vec<f32> = (0..WIDTH).map(|_| noise(&mut random) as f32).collect();
    let row = told.iter().map(|value| f64::from(*value)).collect();
    (told, row)
}

#[test]
fn the_gradient_of_an_autoencoder_is_that_of_finite_differences() {
    let coder = Autoencoder::new(WIDTH, Random::new(5, 0));
    let (told, row) = row_for_gradients();
    let mut gradients = coder.layers.each_ref().map(Layer::gradient);
    coder.slopes(&told, &mut gradients);
    let checked = check_gradients(&gradients, &coder.layers, |layers| {
        half_squares(&slow_pass(layers, &row), &row)
    });
    assert_eq!(checked, (6 + 1) * 32 + (32 + 1) * 3 + (3 + 1) * 32 + (32 + 1) * 6);
}

#[test]
fn the_gradient_of_a_variational_autoencoder_is_that_of_finite_differences() {
    let coder = VariationalAutoencoder::new(WIDTH, Random::new(5, 0));
    let (told, row) = row_for_gradients();
    let drawn = [0.5_f32, -1.25, 0.75];
    let mut gradients = coder.layers.each_ref().map(Layer::gradient);
    coder.slopes(&told, &drawn, &mut gradients);
    let checked = check_gradients(&gradients, &coder.layers, |layers| {
        let code = slow_pass(&layers[..2], &row);
        let (mut cost, mut made) = (0.0, Vec::new());
        for (unit, noise) in drawn.iter().enumerate() {
            let (mean, logarithm) = (code[unit], code[3 + unit]);
            cost += 0.5 * (mean * mean + libm::exp(logarithm) - logarithm - 1.0);
            made.push(mean + libm::exp(0.5 * logarithm) * f64::from(*noise));
        }
        half_squares(&slow_pass(&layers[2..], &made), &row) / f64::from(NOISE) + cost
    });
    assert_eq!(checked, (6 + 1) * 32 + (32 + 1) * 6 + (3 + 1) * 32 + (32 + 1) * 6);
}

#[test]
fn drawn_numbers_are_normal() {
    let mut random = Random::new(0, 0);
    let drawn: Vec<f64> = (0..40_000).map(|_| random.normal()).collect();
    let moment = |power: usize| {
        drawn
            .iter()
            .map(|x| [*x, x * x, x * x * x, x * x * x * x][power - 1])
            .sum::<f64>()
            / 4e4
    };
    for (power, expected, within) in [(1, 0.0, 0.02), (2, 1.0, 0.03), (3, 0.0, 0.08), (4, 3.0, 0.2)] {
        assert!((moment(power) - expected).abs() < within, "{power}: {}", moment(power));
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
