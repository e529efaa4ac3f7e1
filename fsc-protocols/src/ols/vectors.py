"""Makes the constants of tests.rs and of ../linear/student.rs with mpmath: `python3 vectors.py`."""

from mpmath import mp, mpf, matrix, betainc, lu_solve, inverse

mp.dps = 60


def tail(t, degrees):
    t, degrees = mpf(t), mpf(degrees)
    return betainc(degrees / 2, mpf(1) / 2, 0, degrees / (degrees + t * t), regularized=True)


for t in ["0", "0.001", "0.5", "1", "2", "3.5", "12", "40", "1e5"]:
    for degrees in [1, 2, 5, 9, 30, 1000, 1000000]:
        print(f"({t}, {degrees}.0, {mp.nstr(tail(t, degrees), 17, min_fixed=0, max_fixed=0)}),")

# y on a, b, c by the normal equations, in 60 digits; integers from a linear congruence.
state, numbers = 1, []
for _ in range(12 * 4):
    state = state * 1103515245 % 2147483647
    numbers.append(state % 2001 - 1000)
rows = [numbers[4 * i:4 * i + 4] for i in range(12)]
print(rows)
for intercept in [False, True]:
    x = matrix([[1] * intercept + row[:3] for row in rows])
    y = matrix([row[3] for row in rows])
    beta = lu_solve(x.T * x, x.T * y)
    rest = y - x * beta
    n, p = x.rows, x.cols
    mean = sum(y) / n if intercept else 0
    square = sum(r * r for r in rest)
    errors = [mp.sqrt(square / (n - p) * v) for v in (inverse(x.T * x)[i, i] for i in range(p))]
    ts = [b / e for b, e in zip(beta, errors)]
    show = lambda values: [mp.nstr(v, 17) for v in values]
    print(intercept, show(beta), show(errors), show(ts), show(tail(t, n - p) for t in ts))
    print(mp.nstr(1 - square / sum((v - mean) ** 2 for v in y), 17), mp.nstr(mp.sqrt(square / (n - p)), 17))
