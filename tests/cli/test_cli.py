"""The command as a person types it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.cli import main
from emb_opt_widgets.cli.demo import recall
from emb_opt_widgets.cli.table import table


@pytest.fixture
def kept(tmp_path):
    x = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)
    items = [f"item <{i}>" for i in range(300)]
    source = eow.sources.ArraySource(x, items=items, data={"price": np.arange(300) / 2})
    path = tmp_path / "kept.eow"
    with eow.Search(source, lambda b: b.embeddings.sum(1), budget=400, path=path, name="kept") as search:
        search.run(3, progress=False)
        search.branch(item=search.best.id, note="closer")
        search.run(2, progress=False)
        search.to_html(tmp_path / "live.html")
        return path, search.results()


def test_without_a_command_it_helps(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "examples:" in out and all(name in out for name in ("demo", "bench", "doctor", "export"))


@pytest.mark.parametrize("command", ["demo", "bench", "doctor", "export"])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_wrong_arguments_exit_with_2(capsys):
    for wrong in (["demo", "--calls", "0"], ["nope"], ["export"], ["bench", "nope"], ["demo", "--calls", "x"]):
        with pytest.raises(SystemExit) as end:
            main(wrong)
        assert end.value.code == 2


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip()


def test_demo(tmp_path, capsys):
    pytest.importorskip("sklearn")
    assert main(["demo", "--calls", "60", "--out", str(tmp_path / "out"), "--no-progress"]) == 0
    out = capsys.readouterr().out
    assert "of the 20 best with" in out and "Report:" in out
    assert (tmp_path / "out" / "demo.html").stat().st_size > 10_000
    assert main(["demo", "--calls", "20", "--out", str(tmp_path / "out"), "--no-progress"]) == 0


def test_demo_into_a_file_is_one_line(tmp_path, capsys):
    pytest.importorskip("sklearn")
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file" / "x"), "--no-progress"]) == 1
    assert capsys.readouterr().err.startswith("emb-opt-widgets demo: ")


def test_export_html_needs_neither_source_nor_functions(kept, capsys):
    path, results = kept
    assert main(["export", str(path), "--html"]) == 0
    page = path.with_suffix(".html")
    assert capsys.readouterr().out.strip() == str(page)
    text, live = page.read_text(encoding="utf-8"), (path.parent / "live.html").read_text(encoding="utf-8")
    assert text == live
    assert "closer" in text and f"item &lt;{results.ids[0]}&gt;" in text


def test_export_csv_and_parquet(kept, tmp_path):
    path, results = kept
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["export", str(path), "--csv", str(tmp_path / "a.csv"), "--parquet", str(tmp_path / "a.parquet")]) == 0
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == results.ids.tolist()
    assert [float(row["score"]) for row in rows] == pytest.approx(results.scores)
    assert rows[0]["item"] == f"item <{results.ids[0]}>"
    assert float(rows[0]["price"]) == results.ids[0] / 2
    assert rows[0]["found_by"] and int(rows[0]["call"]) >= 1
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column("id").to_pylist() == results.ids.tolist()


def test_export_overwrites_only_when_told(kept, capsys):
    path, _ = kept
    assert main(["export", str(path), "--csv"]) == 0
    assert main(["export", str(path), "--csv"]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["export", str(path), "--csv", "--force"]) == 0
    before = path.read_bytes()
    assert main(["export", str(path), "--csv", str(path), "--force"]) == 1
    assert path.read_bytes() == before


def test_export_needs_something_to_write(kept, capsys):
    with pytest.raises(SystemExit) as end:
        main(["export", str(kept[0])])
    assert end.value.code == 2
    assert "--html" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 100])
def test_export_of_something_else_is_one_line(content, tmp_path, capsys):
    path = tmp_path / "x.eow"
    if content is not None:
        path.write_bytes(content)
    assert main(["export", str(path), "--html"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("emb-opt-widgets export: ") and len(err.splitlines()) == 1
    assert not path.with_suffix(".html").exists()


def test_export_of_a_search_that_is_running(tmp_path):
    x = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
    path = tmp_path / "live.eow"
    with eow.Search(x, lambda b: b.embeddings.sum(1), path=path) as search:
        assert main(["export", str(path), "--html", str(tmp_path / "0.html"), "--csv", str(tmp_path / "0.csv")]) == 0
        search.run(2, progress=False)
        assert main(["export", str(path), "--html", str(tmp_path / "1.html")]) == 0
        search.run(1, progress=False)


def test_doctor(capsys):
    code = main(["doctor", "--json"])
    found = {one["what"]: one for one in json.loads(capsys.readouterr().out)}
    assert {"python", "numpy", "torch", "device"} <= set(found)
    assert code == int(any(one["state"] == "missing" for one in found.values()))
    assert all(one["todo"] for one in found.values() if one["state"] == "missing")
    main(["doctor"])
    assert "numpy" in capsys.readouterr().out


@pytest.mark.timeout(180)
def test_bench_quick(capsys):
    assert main(["bench", "rounds", "--quick", "--json"]) == 0
    measures = json.loads(capsys.readouterr().out)
    assert len(measures) == 5
    assert all(one["value"] is None or one["value"] > 0 for one in measures)


def test_recall_is_fair_to_ties():
    truth = np.array([5.0, 4, 3, 3, 3, 1])
    assert recall(truth, truth, 3) == 1
    assert recall([5.0, 3, 3, 3], truth, 3) == pytest.approx(2 / 3)
    assert recall([3.0, 3], truth, 3) == pytest.approx(1 / 3)
    assert recall([], truth, 3) == 0


def test_table_aligns():
    assert table(["#", "name"], [["1", "a"], ["10", "bb"]], right=(0,)).splitlines() == [
        " #  name", "──  ────", " 1  a", "10  bb",
    ]  # fmt: skip
