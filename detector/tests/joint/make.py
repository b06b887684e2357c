"""Makes the fixtures of the joint models: rows of our own, and what scikit-learn says of others beside them.

    pip install scikit-learn==1.9.1 && python make.py      # writes beside itself

reference.csv holds the rows that a model is fitted to, asked.csv other rows, each with the distance to its projection on
the components that hold nine tenths of the variance, the mean distance to its five nearest neighbours, and its local
outlier factor among twenty. Values are multiples of 1/64, which 32 bits hold exactly.
"""
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

HERE = Path(__file__).resolve().parent
WIDTH = 6


def main():
    rng = np.random.default_rng(5)
    mixing = rng.normal(0, 1, (3, WIDTH))

    def rows(n):
        x = rng.normal(0, 1, (n, 3)) @ mixing + rng.normal(0, 0.3, (n, WIDTH))
        x[: n // 3] *= 0.4
        return np.clip(np.round(x * 64) / 64, -7.5, 7.5)

    reference = rows(200)
    asked = np.vstack([rows(30), np.round(rng.uniform(-7, 7, (10, WIDTH)) * 64) / 64])
    pca = PCA(n_components=0.9, svd_solver="full").fit(reference)
    residual = np.linalg.norm(asked - pca.inverse_transform(pca.transform(asked)), axis=1)
    nearest = NearestNeighbors(n_neighbors=5).fit(reference).kneighbors(asked)[0].mean(axis=1)
    lof = -LocalOutlierFactor(n_neighbors=20, novelty=True).fit(reference).score_samples(asked)
    names = [f"x{i}" for i in range(WIDTH)]
    np.savetxt(HERE / "reference.csv", reference, "%.10g", ",", comments="", header=",".join(names))
    np.savetxt(HERE / "asked.csv", np.column_stack([asked, residual, nearest, lof]), ["%.10g"] * WIDTH + ["%.17g"] * 3,
               ",", comments="", header=",".join([*names, "pca", "neighbours", "local_outlier_factor"]))


if __name__ == "__main__":
    main()
