"""Result dtypes: every pair of dtypes, each side a tensor, a 0-dim tensor or a Python number."""

import operator

_NAMES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
DTYPES = _NAMES.split()
UNSIGNED = ["uint16", "uint32", "uint64"]  # PyTorch does little with them: cases of their own
NUMBERS = {"bool": True, "int": 2, "float": 2.0, "complex": 2 + 0j}
KINDS = ("tensor", "zero")  # of one dimension, of none

OPERATORS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "lshift": operator.lshift,
    "rshift": operator.rshift,
}
INPLACE = {
    "iadd": operator.iadd,
    "isub": operator.isub,
    "imul": operator.imul,
    "idiv": operator.itruediv,
    "ifloordiv": operator.ifloordiv,
    "imod": operator.imod,
    "ipow": operator.ipow,
}
_UNARY = (
    "neg abs sqrt exp sin sigmoid reciprocal square sign floor round sum prod mean max min cumsum "
    "cumprod any all std var norm median isnan logical_not bitwise_not relu float double half long "
    "int bool logsumexp softmax argmax"
)


def _operand(torch, dtype, kind):
    value = torch.ones(2 if kind == "tensor" else (), dtype=torch.float32)
    return value.to(getattr(torch, dtype))


def _outcome(function):
    """The dtype of a result, or the type of the exception (`errors.py` is about its words)."""
    try:
        return str(function().dtype)
    except (AttributeError, ImportError):
        raise
    except Exception as error:
        return f"raises {type(error).__name__}"


def _pairs(apply, left, right, copies=False, dtypes=DTYPES):
    def run(torch):
        found = {}
        lefts = {d: _operand(torch, d, left) for d in dtypes} if left in KINDS else NUMBERS
        rights = {d: _operand(torch, d, right) for d in dtypes} if right in KINDS else NUMBERS
        for a, x in lefts.items():
            for b, y in rights.items():
                found[f"{a} {b}"] = _outcome(lambda x=x, y=y: apply(x.clone() if copies else x, y))
        return found

    return run


def _promote_types(torch, lefts, rights):
    found = {}
    for a in lefts:
        for b in rights:
            try:
                found[f"{a} {b}"] = str(torch.promote_types(getattr(torch, a), getattr(torch, b)))
            except RuntimeError as error:
                found[f"{a} {b}"] = str(error)
    return found


def promote_types(torch):
    return _promote_types(torch, DTYPES, DTYPES)


def promote_types_unsigned(torch):
    return _promote_types(torch, DTYPES + UNSIGNED, UNSIGNED)


def can_cast(torch):
    return {
        f"{a} {b}": torch.can_cast(getattr(torch, a), getattr(torch, b))
        for a in DTYPES
        for b in DTYPES
    }


def result_type(torch):
    found = {}
    for a in DTYPES:
        for name, number in NUMBERS.items():
            for kind in KINDS:
                found[f"{a} {kind} {name}"] = str(
                    torch.result_type(_operand(torch, a, kind), number)
                )
    return found


def uint8_wraps(torch):
    return torch.tensor([1], dtype=torch.uint8) + 300


def numbers_alone(torch):
    return torch.result_type(1, 1.0), torch.result_type(1, True), torch.result_type(1j, 1)


def where(torch):
    c = torch.tensor([True, False])
    x, i = torch.ones(2), torch.ones(2, dtype=torch.int64)
    return (
        torch.where(c, 1, 2.0),
        torch.where(c, x, i),
        torch.where(c, i, 2.5),
        torch.where(c, x.double(), 1),
        torch.where(c, 1, 2),
        torch.where(c, True, False),
    )


def cat_and_stack(torch):
    x, i, h = torch.ones(2), torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.float16)
    return (
        torch.cat([x, i]),
        torch.stack([i, h]),
        torch.cat([i.int(), i]),
        torch.cat([x, x.double()]),
    )


def default_dtype_float64(torch):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        i = torch.ones(2, dtype=torch.int64)
        return (torch.tensor(1.0), torch.ones(2), i / 2, i + 1.5, i + 1j, torch.tensor(1j), i.sin())
    finally:
        torch.set_default_dtype(before)


def inplace_keeps_dtype(torch):
    x = torch.ones(2)
    x += torch.ones(2, dtype=torch.float64)
    x *= torch.ones(2, dtype=torch.int64)
    h = torch.ones(2, dtype=torch.float16)
    h += torch.ones(2)
    return x, h


def gradients_are_cast_back(torch):
    x = torch.ones(2, requires_grad=True)
    h = torch.ones(2, dtype=torch.float16, requires_grad=True)
    y = torch.ones(2, dtype=torch.float64)
    (x * y + h * x).sum().backward()
    return x.grad, h.grad


def reductions_dtype_argument(torch):
    i = torch.ones(2, dtype=torch.int32)
    x = torch.ones(2)
    return (
        i.sum(dtype=torch.float32),
        x.sum(dtype=torch.float64),
        i.mean(dtype=torch.float64),
        x.cumsum(0, dtype=torch.int64),
        i.prod(dtype=torch.int8),
        x.softmax(0, dtype=torch.float64),
    )


def finfo_and_iinfo(torch):
    found = {}
    for name in ("float16", "bfloat16", "float32", "float64"):
        info = torch.finfo(getattr(torch, name))
        found[name] = [
            info.bits,
            info.eps,
            info.max,
            info.min,
            info.tiny,
            info.smallest_normal,
            info.resolution,
        ]
    for name in ("uint8", "int8", "int16", "int32", "int64"):
        info = torch.iinfo(getattr(torch, name))
        found[name] = [info.bits, info.max, info.min]
    return found


def dtype_attributes(torch):
    return {
        name: [
            getattr(torch, name).is_floating_point,
            getattr(torch, name).is_complex,
            getattr(torch, name).is_signed,
            getattr(torch, name).itemsize,
        ]
        for name in DTYPES
    }


def _unary(name):
    def run(torch):
        return {
            dtype: _outcome(lambda d=dtype: _call(torch, name, _operand(torch, d, "tensor")))
            for dtype in DTYPES
        }

    return run


def _call(torch, name, x):
    method = getattr(x, name)
    return method(0) if name in ("cumsum", "cumprod", "logsumexp", "softmax") else method()


CASES = {}
for _name, _apply in OPERATORS.items():
    for _left in (*KINDS, "number"):
        for _right in (*KINDS, "number"):
            if (_left, _right) != ("number", "number"):
                CASES[f"{_name}_{_left}_{_right}"] = _pairs(_apply, _left, _right)
for _name in ("add", "mul", "eq"):
    CASES[f"{_name}_unsigned"] = _pairs(OPERATORS[_name], "tensor", "tensor", dtypes=UNSIGNED)
for _name, _apply in INPLACE.items():
    for _right in (*KINDS, "number"):
        CASES[f"{_name}_tensor_{_right}"] = _pairs(_apply, "tensor", _right, copies=True)
for _name in _UNARY.split():
    CASES[f"unary_{_name}"] = _unary(_name)
