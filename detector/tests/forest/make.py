"""Makes the fixtures of the forest: three small tables of our own, and what scikit-learn says of them.

    pip install scikit-learn==1.9.1 && python make.py      # writes beside itself

NAME.csv holds the rows, NAME.golden.csv the mean of scikit-learn's anomaly scores over twenty seeds and which rows were
made anomalous; average_path_length.csv holds n and c(n).
"""
from pathlib import Path

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

HERE = Path(__file__).resolve().parent
SEEDS = 20


def blobs(rng):
    """Two groups of correlated numbers; anomalies between and around them."""
    a = rng.normal(0, 1, (350, 4)) @ rng.normal(0, 1, (4, 4)) + 5
    b = rng.normal(0, 0.5, (200, 4)) - 4
    return np.vstack([a, b]), rng.uniform(-15, 15, (50, 4))


def skewed(rng):
    """Heavy tails over many orders of magnitude, as latencies and sizes have them."""
    x = np.exp(rng.normal(0, 1, (380, 6)) * [0.2, 0.5, 1, 1.5, 2, 3]) * [1, 10, 1e-3, 1e6, 50, 1]
    y = np.exp(rng.normal(0, 1, (20, 6)) * [0.4, 1, 2, 3, 4, 4]) * [3, 30, 1e-2, 1e7, 500, 10]
    return x, y


def mixed(rng):
    """Counts, flags, a constant, rounded and continuous numbers, with duplicates."""
    def make(n, rate, odd):
        return np.column_stack([
            rng.poisson(rate, n), rng.random(n) < odd, np.full(n, 7), np.round(rng.normal(20, 2, n)),
            rng.gamma(2, rate, n), rng.integers(0, 24, n), rng.normal(0, 1 + rate / 5, n), rng.random(n) < 0.5,
            rng.exponential(rate, n), rng.normal(100, rate, n)])
    return make(285, 3, 0.05), make(15, 9, 0.6)


def main():
    for seed, make in enumerate((blobs, skewed, mixed)):
        rng = np.random.default_rng(seed)
        normal, odd = make(rng)
        x = np.vstack([normal, odd]).astype(float)
        x = np.array([[float(f"{v:.6g}") for v in row] for row in x])
        y = np.r_[np.zeros(len(normal)), np.ones(len(odd))]
        order = rng.permutation(len(x))
        x, y = x[order], y[order]
        scores = np.mean([-IsolationForest(n_estimators=100, random_state=k).fit(x).score_samples(x) for k in range(SEEDS)], axis=0)
        np.savetxt(HERE / f"{make.__name__}.csv", x, "%.6g", ",", comments="",
                   header=",".join(f"x{i}" for i in range(x.shape[1])))
        np.savetxt(HERE / f"{make.__name__}.golden.csv", np.column_stack([scores, y]), ["%.9f", "%d"], ",", comments="",
                   header="score,anomalous")
    n = np.r_[np.arange(0, 20), 50, 64, 100, 128, 255, 256, 1000]
    np.savetxt(HERE / "average_path_length.csv", np.column_stack([n, _average_path_length(n)]), ["%d", "%.17g"], ",",
               comments="", header="n,c")


if __name__ == "__main__":
    main()
