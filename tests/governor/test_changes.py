"""Changes: what a row may hold, told for a batch at once as for each row alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.changes import are_plain, faults

_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 3), inner, max_size=3)
    ),
    max_leaves=8,
)


class TestWholeBatch:
    @given(st.lists(st.dictionaries(st.text(max_size=3), _plain, max_size=4) | _plain, max_size=4))
    def test_is_called_plain_exactly_when_no_row_has_a_fault(self, rows):
        assert are_plain(rows) == (not any(faults(row) for row in rows))

    @pytest.mark.parametrize("depth", range(22, 28))
    @pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"x": inner}])
    def test_is_as_deep_as_a_row_may_be(self, depth, wrap):
        value = 1
        for _ in range(depth):
            value = wrap(value)

        assert are_plain([{"x": value}]) == (not faults({"x": value}))

    @pytest.mark.parametrize(
        "row", [{"x" * 200: 1}, {"x" * 201: 1}, {"": 1}, {"a\0": 1}, {5: 1}, {}, 7, {"x": {"y\0": 1}}]
    )
    def test_has_names_as_a_row_may_have(self, row):
        assert are_plain([row]) == (not faults(row))

    def test_has_no_name_that_the_database_refuses(self):
        (fault,) = faults({"a\0b": 1})

        assert "is no field name" in fault
