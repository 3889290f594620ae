"""A double as Java writes it, since DescribeConfigs and error messages show it so."""

from __future__ import annotations


def java_double(value: float) -> str:
    """As `Double.toString` writes it: plain between 1e-3 and 1e7, else with an exponent."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = _digits(value)
    if digits == "0":
        return sign + "0.0"
    if -3 <= exponent < 7:
        if exponent < 0:
            return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
        whole = digits[: exponent + 1].ljust(exponent + 1, "0")
        return f"{sign}{whole}.{digits[exponent + 1 :] or '0'}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest significant digits without zeros at either end, exponent of the first digit."""
    mantissa, _, exponent = f"{value!r}e0".partition("e")
    power = int(exponent.split("e")[0])
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    return sign, digits.rstrip("0") or "0", power + len(whole) - leading - 1
