"""Why it failed: errors that the libraries themselves raise, here and now, and what is said of them."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Tuple

import pytest

from knock_magic import hints
from knock_magic.tracebacks import describe

from .trainings import ASKED


def library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        if ASKED == "all" or (ASKED and name != "torch"):
            raise
        pytest.skip(f"needs {name}")


def of_numpy(np: Any) -> Dict[str, Tuple[str, Callable[[], Any]]]:
    return {
        "broadcast": ("shapes", lambda: np.ones(3) + np.ones(4)),
        "matmul": ("shapes", lambda: np.ones((2, 3)) @ np.ones((4, 5))),
        "dot": ("shapes", lambda: np.dot(np.ones((2, 3)), np.ones((4, 5)))),
        "reshape": ("shapes", lambda: np.ones(10).reshape(3, 4)),
        "concatenate": ("shapes", lambda: np.concatenate([np.ones((1, 3)), np.ones((1, 4))])),
        "stack": ("shapes", lambda: np.stack([np.ones(3), np.ones(4)])),
        "ragged": ("ragged", lambda: np.array([[1, 2], [3]], dtype=float)),
        "memory": ("memory", lambda: np.ones((10**7, 10**7))),
    }


def of_pandas(pd: Any) -> Dict[str, Tuple[str, Callable[[], Any]]]:
    return {
        "column": ("rows", lambda: pd.DataFrame({"a": [1, 2]}).__setitem__("b", [1, 2, 3])),
        "arrays": ("rows", lambda: pd.DataFrame({"a": [1, 2], "b": [1]})),
        "file": ("file not found", lambda: pd.read_csv("no/such/file.csv")),
    }


def of_sklearn(_: Any) -> Dict[str, Tuple[str, Callable[[], Any]]]:
    from sklearn.linear_model import LinearRegression

    fit = LinearRegression().fit
    return {
        "samples": ("rows", lambda: fit([[1], [2]], [1])),
        "nan": ("nan in data", lambda: fit([[1.0], [float("nan")]], [1, 2])),
        "infinity": ("nan in data", lambda: fit([[1.0], [float("inf")]], [1, 2])),
        "one dimension": ("a table", lambda: fit([1, 2], [1, 2])),
        "three dimensions": ("a table", lambda: fit([[[1], [2]]], [1])),
        "features": ("columns", lambda: fit([[1, 2], [3, 4]], [1, 2]).predict([[1]])),
    }


def of_torch(torch: Any) -> Dict[str, Tuple[str, Callable[[], Any]]]:
    import io
    import pickle

    nn, ones = torch.nn, torch.ones
    loss = nn.CrossEntropyLoss()

    def second_backward() -> None:
        total = (ones(2, requires_grad=True) ** 2).sum()
        total.backward()
        total.backward()

    def in_place() -> None:
        x = ones(2, requires_grad=True)
        y = x.exp()
        y += 1
        y.sum().backward()

    def anomaly() -> None:
        with torch.autograd.detect_anomaly(check_nan=True):
            x = torch.zeros(1, requires_grad=True)
            (torch.sqrt(x) * 0).sum().backward()

    def weights_only() -> None:
        class Own:
            def __reduce__(self) -> Any:
                return (print, ("own",))

        torch.load(io.BytesIO(pickle.dumps(Own())), weights_only=True)

    return {
        "linear": ("layer size", lambda: nn.Linear(4, 2)(ones(1, 3))),
        "conv": ("channels", lambda: nn.Conv2d(3, 1, 3)(ones(1, 1, 8, 8))),
        "batch": ("batch sizes", lambda: loss(ones(4, 2), torch.zeros(3, dtype=torch.long))),
        "broadcast": ("tensor sizes", lambda: ones(3) + ones(4)),
        "view": ("shapes", lambda: ones(10).view(3, 4)),
        "cat": ("shapes", lambda: torch.cat([ones(1, 2), ones(1, 3)], 0)),
        "stack": ("unequal items", lambda: torch.stack([ones(3), ones(4)])),
        "conv type": ("types of numbers", lambda: nn.Conv2d(1, 1, 3)(ones(1, 1, 8, 8, dtype=torch.float64))),
        "state": ("another model", lambda: nn.Linear(2, 2).load_state_dict(nn.Linear(3, 2).state_dict())),
        "target": ("label range", lambda: loss(ones(1, 2), torch.tensor([2]))),
        "embedding": ("token range", lambda: nn.Embedding(2, 2)(torch.tensor([2]))),
        "dtype": ("types of numbers", lambda: nn.Linear(2, 2)(ones(1, 2, dtype=torch.float64))),
        "second backward": ("second backward", second_backward),
        "in place": ("in place", in_place),
        "no grad": ("no grad", lambda: ones(1).sum().backward()),
        "anomaly": ("nan loss", anomaly),
        "distribution": ("nan loss", lambda: torch.distributions.Normal(torch.tensor(float("nan")), 1.0)),
        "memory": ("memory of a tensor", lambda: torch.empty(2**50)),
        "no cuda": ("no cuda build", lambda: ones(1).to("cuda")),
        "weights only": ("weights only", weights_only),
    }


CASES = {"numpy": of_numpy, "pandas": of_pandas, "sklearn": of_sklearn, "torch": of_torch}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")  # theirs
def test_each_error_of_the_library_is_known(name: str) -> None:
    module = library(name)
    for case, (row, act) in CASES[name](module).items():
        with pytest.raises(Exception) as raised:
            act()

        info = describe(raised.value)
        assert hints.name_of_hint(info) == row, f"{case}: {info.type}: {info.message[:300]}"
