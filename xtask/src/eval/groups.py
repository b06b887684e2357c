"""What leaving out one group at a time does to figures on metrics: `groups.py EVAL DATA PROGRAM [OTHER]`.

EVAL is the folder of the evaluation scripts, PROGRAM what is measured, OTHER what it is compared with, if anything.
A group is a folder of NAB, a server of ASD or a machine of SMD. A gain that goes away with one group is that group's.
"""
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import common  # noqa: E402
import multivariate  # noqa: E402
import nab  # noqa: E402


def nab_figures(program, data):
    """{left out: (score at the best threshold, score of the own alarms)}"""
    series = nab.load(data / "nab")
    verdicts = [common.verdicts(common.score(program, data / "nab/data" / f, "csv")[0]) for f, _ in series]
    groups = [f.split("/")[0] for f, _ in series]
    out = {}
    for group in ["nothing", *sorted(set(groups))]:
        kept = [i for i, g in enumerate(groups) if g != group]
        parts = [series[i][1] for i in kept]
        best = nab.nab_scores(parts, [verdicts[i][0] for i in kept])["standard"][0]
        own = nab.nab_scores(parts, [verdicts[i][2] for i in kept], 0.5)["standard"][0]
        out[group] = {"best threshold": best, "own alarms": own}
    return out


def rows_figures(program, data, name):
    """{left out: means over the other machines}"""
    with tempfile.TemporaryDirectory() as tmp:
        each = {e: multivariate.entity(program, data / name, e, multivariate.MINUTES[name], Path(tmp))
                for e in common.names(data / name, "_test_label.csv.gz")}
    kept = ("ap", "event_recall_1fpr", "f1")
    return {group: {k: v for k, v in common.mean([r for e, r in each.items() if e != group]).items() if k in kept}
            for group in ["nothing", *each]}


def show(name, figures, others):
    print(f"\n{name}, without")
    width = max(map(len, figures))
    for group, row in figures.items():
        cells = []
        for key, value in row.items():
            gain = f" ({value - others[group][key]:+.3g})" if others else ""
            cells.append(f"{key} {value:.3g}{gain}")
        print(f"  {group.ljust(width)}  " + "   ".join(cells))


def main():
    data, *programs = map(Path, sys.argv[2:])
    for name, measure in (("NAB", lambda p: nab_figures(p, data)),
                          ("ASD", lambda p: rows_figures(p, data, "asd")),
                          ("SMD", lambda p: rows_figures(p, data, "smd"))):
        all_of_them = [measure(str(p)) for p in programs]
        show(name, all_of_them[0], all_of_them[1] if len(all_of_them) > 1 else None)


main()
