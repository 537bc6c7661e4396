"""`bench quality`: recall as defined, tasks, methods, the table and the drawing."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.methods import METHODS
from benchmarks.quality import Cell, best_settings, curve_svg, measure_quality, quality_table, select
from benchmarks.tasks import TUTORIALS, Task, load_task, recall
from emb_opt_widgets.cli import main
from emb_opt_widgets.errors import InputError


def small(n: int = 300) -> Task:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 6)).astype(np.float32)
    return Task("small", x, x.sum(1).astype(float), rng.random(n) < 0.9, {"top 5": 5}, ("30",))


def test_recall_counts_ties_up_to_their_number_inside() -> None:
    truth = np.array([5.0, 4, 3, 3, 3, 1])
    task = Task("t", np.zeros((6, 1), np.float32), truth, np.ones(6, bool), {}, ())
    assert recall(task, np.array([0, 1, 2, 3]), 4) == 1
    assert recall(task, np.array([2, 3, 4]), 4) == 0.5
    assert recall(task, np.array([0, 5]), 4) == 0.25


@pytest.mark.parametrize("method", [m for m in METHODS if not m.startswith("emb_opt") or "k=5 q=5" in m])
def test_each_method_scores_distinct_allowed_items_within_the_budget(method: str) -> None:
    task = small()
    rows = METHODS[method](task, 30, 1)
    assert len(rows) == len(set(rows.tolist())) == 30
    assert task.allowed[rows].all()


@pytest.mark.parametrize("variant", TUTORIALS)
def test_tutorials(variant: str) -> None:
    task = load_task(f"tutorial-{variant}" if variant else "tutorial")
    assert task.vectors.shape[0] == 10_000 and np.isfinite(task.truth).all() and np.ptp(task.truth) > 0
    assert 8_800 < task.allowed.sum() < 9_200


def test_files_and_budgets(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((2000, 4)) * 3 + 5
    np.savez(tmp_path / "a.npz", X=x.astype(np.float16), y=np.arange(2000, dtype=np.float32))
    task = load_task(str(tmp_path / "a.npz"))
    assert task.tops == {"top 0.1 %": 2, "top 1 %": 20} and task.calls("1%") == 20 and task.calls("7") == 7
    np.testing.assert_allclose(task.vectors.mean(0), 0, atol=1e-2)
    assert float(task.vectors.var(0).mean()) == pytest.approx(1, rel=1e-3)
    with pytest.raises(InputError, match="no such task"):
        load_task("nothing")


def test_files_that_are_no_tasks_are_refused(tmp_path: Path) -> None:
    x, y = np.zeros((5, 2)), np.arange(5.0)
    letters, objects = np.array(list("abcde")), np.array([None] * 5)
    wrong = (
        {"X": x}, {"y": y}, {"X": x, "y": y[:, None]}, {"X": x, "y": y[:4]}, {"X": x[0], "y": y},
        {"X": x[:0], "y": y[:0]}, {"X": x + np.nan, "y": y}, {"X": x, "y": letters}, {"X": x, "y": objects},
    )  # fmt: skip
    path = tmp_path / "a.npz"
    for arrays in wrong:
        np.savez(path, **arrays)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="is no task"):
            load_task(str(path))
    path.write_text("no file of numpy's")
    with pytest.raises(InputError, match="is no task"):
        load_task(str(path))
    np.savez(path, X=np.random.default_rng(0).standard_normal((5, 2)), y=np.where(y == 2, np.nan, y))
    assert load_task(str(path)).allowed.tolist() == [True, True, False, True, True]


def test_what_is_asked_is_checked_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong, said in (
        (["--method", "learned"], "no such method"),
        (["--budget", "abc"], "no number of items"),
        (["--seeds", "0"], "--seeds is not usable"),
        (["--plot", str(tmp_path / "none" / "p.svg")], "--plot is not usable"),
        (["--plot", str(tmp_path)], "--plot is not usable"),
        (["digits", "nothing"], "no such task"),
    ):
        assert main(["bench", "quality", "--method", "random", "--budget", "5", *wrong]) == 1
        out, err = capsys.readouterr()
        assert said in err and "random on" not in err and not out


def test_the_legend_is_on_the_picture_and_tells_methods_apart() -> None:
    cells = [Cell("t", 30, f"method {i}", {"top 5": [0.5]}, [1, 30], [0.1, 0.5], 0.1) for i in range(14)]
    drawn = ElementTree.fromstring(curve_svg(cells))
    width, height = (float(v) for v in drawn.attrib["viewBox"].split()[2:])
    names = [text for text in drawn.findall("{*}text") if text.text and text.text.startswith("method")]
    assert len(names) == 14
    assert all(float(text.attrib["x"]) + 90 <= width and float(text.attrib["y"]) <= height for text in names)
    colours = [path.attrib["stroke"] for path in drawn.findall("{*}path")]
    assert len(set(colours)) == len(colours) == 14
    assert quality_table(cells)[0][3] == "top 5: 0.500"


def test_our_methods_score_as_many_at_a_time_as_they_are_asked_to() -> None:
    task = small().asked("4%", ["5", "9"])
    assert task.batch == 12 and task.tops == {"top 5": 5, "top 9": 9}
    same = small().asked(None, [])
    assert same.batch is None and same.tops == small().tops
    rows = METHODS["default"](task, 36, 0)
    early, late = (recall(task, part, 9) for part in (rows[:12], rows))
    assert len(rows) == 36 and late > early


def test_table_and_drawing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).standard_normal((500, 4)).astype(np.float32)
    np.savez(tmp_path / "a.npz", X=x, y=x.sum(1))
    cells = list(measure_quality([str(tmp_path / "a.npz")], ["40"], ["default", "random", "emb_opt rl k=5"], 2))
    shown = best_settings(cells)
    assert len(cells) == 4 and len(shown) == 3 and len(quality_table(shown)) == 3
    assert cells[0].mean("top 1 %")[0] > cells[1].mean("top 1 %")[0]
    ElementTree.fromstring(curve_svg(shown))
    assert select(["only"]) == [m for m in METHODS if m.startswith("only")]
    plot = tmp_path / "c.svg"
    arguments = ["bench", "quality", str(tmp_path / "a.npz"), "--budget", "30", "--method", "default"]
    assert main([*arguments, "--quick", "--plot", str(plot)]) == 0
    assert "default" in capsys.readouterr().out and plot.exists()
    assert main([*arguments, "--quick", "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)
    assert cell["budget"] == 30 and len(cell["recall"]["top 1 %"]["seeds"]) == 1
    first = ["bench", "quality", "--json", "--quick", "--budget", "30", "--method", "random", str(tmp_path / "a.npz")]
    assert main(first) == 0
    assert json.loads(capsys.readouterr().out)[0]["method"] == "random"
    assert main([*first, "--batch", "2%", "--top", "9", "--top", "3"]) == 0
    assert list(json.loads(capsys.readouterr().out)[0]["recall"]) == ["top 3", "top 9"]
    assert main([*first, "--top", "1%", "--top", "0.5%"]) == 0
    assert list(json.loads(capsys.readouterr().out)[0]["recall"]) == ["top 0.5 %", "top 1 %"]
    for wrong in ("many", "0", "-3", "nan%", "inf%"):
        assert main([*first, f"--top={wrong}"]) != 0
        assert "no number of items" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["bench", "rounds", "--json", "a.npz"])
