"""Numbers in canonical form: equal values, however written, give equal strings."""

from fractions import Fraction

DIGITS_MAX = 40
"""Longer numbers are compared digit by digit, never computed with: text decides their cost."""

EXPONENT_MAX = 40
"""1e41 and beyond stay as written."""


def canonical(
    sign: str, digits: str, divisor: str = "", exponent: int = 0, *, power: int = 1, whole: str = ""
) -> str | None:
    """Join the parts of a number: "-", "1250.50", "4", 0 gives "-312.625"; "3", 1/2 gives "3.5".

    The digits are raised to `power`, times 10 to `exponent`. A fraction that ends in decimal form
    is a decimal number, else "p/q" in lowest terms; None for a division by zero.
    """
    plain = _plain(digits)
    if not (divisor or exponent) and power == 1:
        return _signed(sign, plain)
    under = _plain(divisor) if divisor else "1"
    if not under.strip("0.") or (power < 0 and not plain.strip("0.")):
        return None
    if (
        len(plain) * abs(power) > DIGITS_MAX
        or len(under) > DIGITS_MAX
        or abs(exponent) > EXPONENT_MAX
    ):
        return _signed(sign, _as_written(plain, divisor and under, exponent, power))
    value = Fraction(plain) ** power / Fraction(under)
    if whole and value < 1:
        value += int(whole)
    return _signed(sign, of_fraction(value * Fraction(10) ** exponent))


def _as_written(plain: str, under: str, exponent: int, power: int) -> str:
    parts = (f"^{power}" if power != 1 else "", f"/{under}" if under else "")
    return plain + "".join(parts) + (f"e{exponent}" if exponent else "")


def of_fraction(value: Fraction) -> str:
    """Decimal form where it ends within DIGITS_MAX, else p/q."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest //= 2
        twos += 1
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    places = max(twos, fives)
    if rest != 1 or places > DIGITS_MAX:
        return f"{value.numerator}/{value.denominator}"
    scaled = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + _plain(f"{scaled[:-places]}.{scaled[-places:]}" if places else scaled)


def _plain(digits: str) -> str:
    """Without leading zeros and trailing zeros of the fraction."""
    whole, dot, part = digits.partition(".")
    whole = whole.lstrip("0") or "0"
    part = part.rstrip("0")
    return f"{whole}.{part}" if dot and part else whole


def _signed(sign: str, value: str) -> str:
    return f"-{value}" if sign and value != "0" else value
