"""sentence-transformers' trainer and models, made from a configuration: nothing is downloaded."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from emb_opt_widgets import training as tr
from emb_opt_widgets.errors import InputError

pytest.importorskip("sentence_transformers")
pytestmark = pytest.mark.filterwarnings("ignore")

QUERIES = [f"{a}{b} {b}{a}" for a in "abcdefgh" for b in "stuvwxyz"]
DOCUMENTS = [f"the {query} of it" for query in QUERIES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from transformers import BertConfig, BertModel, BertTokenizer

    out = tmp_path_factory.mktemp("model")
    letters = [chr(97 + i) for i in range(26)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (out / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(out / "vocab.txt")).save_pretrained(out)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )
    ).save_pretrained(out)  # fmt: skip
    return out


@pytest.fixture
def model(folder):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    return SentenceTransformer(modules=[Transformer(str(folder), max_seq_length=24), Pooling(16)], device="cpu")


def test_text_and_tokens_have_the_models_own_embeddings(model):
    tower = tr.SentenceTower(model).eval()
    tokens = tower.tokens(QUERIES[:5])
    assert {part.shape for part in tokens.values()} == {(5, 24)}
    with torch.no_grad():
        wanted = model.encode(QUERIES[:5], convert_to_tensor=True)
        torch.testing.assert_close(tower(QUERIES[:5]), wanted, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(tower(tokens), wanted, rtol=1e-4, atol=1e-5)
    assert tower(QUERIES[:2]).requires_grad


@pytest.mark.parametrize("cached", [False, True])
def test_a_model_is_trained_by_our_loop(model, cached):
    tower = tr.SentenceTower(model)
    data = (tower.tokens(QUERIES), tower.tokens(DOCUMENTS)) if cached else (QUERIES, DOCUMENTS)
    loss = tr.CacheLoss(score_transform=tr.Temperature(0.1), in_batch=True) if cached else tr.RetrievalLoss(0.1)
    training = tr.Training(
        tower, tower, data, loss=loss, caches=32 if cached else None, batch_size=16, steps=6, epochs=None,
        validation=(QUERIES[:20], DOCUMENTS[:20]), device="cpu",
    )  # fmt: skip
    before = [p.clone() for p in model.parameters()]
    metrics = training.run(progress=False)
    assert len(metrics["loss"]) == 6 and training.evaluate()[10] > 0
    assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters()))


def trained(model, loss, tmp_path, **columns):
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    data = Dataset.from_dict({"anchor": QUERIES, "positive": DOCUMENTS, **columns})
    arguments = SentenceTransformerTrainingArguments(
        str(tmp_path), max_steps=5, per_device_train_batch_size=16, report_to="none", save_strategy="no", use_cpu=True,
        disable_tqdm=True, learning_rate=1e-3,
    )  # fmt: skip
    trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=data, loss=loss)
    return trainer.train()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("cache_rows", [None, 40])
def test_our_losses_in_its_trainer(model, tmp_path, cache_rows):
    loss = tr.SentenceLoss(model, cache_rows=cache_rows)
    before = [p.clone() for p in model.parameters()]
    out = trained(model, loss, tmp_path)
    assert out.global_step == 5 and out.training_loss == out.training_loss
    assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters()))
    if cache_rows is not None:
        assert loss.cache is not None and len(loss.cache) == 40


def test_the_in_batch_loss_is_that_of_the_formula(model):
    model.eval()
    features = [model.preprocess(texts) for texts in (QUERIES[:4], DOCUMENTS[:4], DOCUMENTS[8:12])]
    value = tr.SentenceLoss(model, tr.RetrievalLoss(0.1, reduction="mean"))(features, None)
    q, d, n = (model.encode(t, convert_to_tensor=True) for t in (QUERIES[:4], DOCUMENTS[:4], DOCUMENTS[8:12]))
    wanted = torch.nn.functional.cross_entropy(q @ torch.cat([d, n]).T / 0.1, torch.arange(4))
    torch.testing.assert_close(value.detach(), wanted, rtol=1e-3, atol=1e-3)


def test_evaluation_leaves_the_cache_alone(model):
    loss = tr.SentenceLoss(model, cache_rows=40)
    features = [model.preprocess(texts) for texts in (QUERIES[:4], DOCUMENTS[:4])]
    loss(features)
    loss.eval()
    age = loss.cache.age.clone()
    loss(features)
    assert torch.equal(loss.cache.age, age) and len(loss.cache) == 4


def test_what_does_not_fit_is_refused(model):
    features = [model.preprocess(texts) for texts in (QUERIES[:4], DOCUMENTS[:4], DOCUMENTS[4:8])]
    bare = type(model)(modules=[model[0]], device="cpu")
    for wrong in (
        lambda: tr.SentenceTower(torch.nn.Linear(2, 2)),
        lambda: tr.SentenceLoss(model, tr.CacheLoss()),
        lambda: tr.SentenceLoss(model, tr.RetrievalLoss(), cache_rows=10),
        lambda: tr.SentenceLoss(model, cache_rows=10)(features),
        lambda: tr.SentenceLoss(model)(features[:1]),
        lambda: tr.SentenceTower(model)("a single text"),
        lambda: tr.SentenceTower(model)([1, 2]),
        lambda: tr.SentenceTower(bare)(QUERIES[:2]),
        lambda: tr.SentenceTower(model)(3),
    ):
        with pytest.raises(InputError):
            wrong()


def test_a_row_without_a_text_is_named(model):
    with pytest.raises(InputError, match=r"got None \(NoneType\) among them.*dropna"):
        tr.SentenceTower(model)([QUERIES[0], None])


def test_a_model_that_is_no_tower_yet_is_refused_before_it_trains(model):
    with pytest.raises(InputError, match=r"query_net takes tokens.*SentenceTower\(model\)"):
        tr.Training(model, tr.SentenceTower(model), (QUERIES, DOCUMENTS), device="cpu")


def test_without_the_package_there_is_the_line_to_type():
    code = (
        "import sys; sys.modules['sentence_transformers'] = None\n"
        "from emb_opt_widgets import training as tr\n"
        "try: tr.SentenceTower(None)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "emb_opt_widgets[sentence]" in done.stdout
