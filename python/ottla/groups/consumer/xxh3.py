"""XXH3, 64 bits, seed 0: the hash that Kafka's records keep of a group's topics.

Prior art: Yann Collet's specification of xxHash. Python, because a topic is hashed once for each change of it, and a
broker that has a faster one may inject it (``ottla.groups.consumer.topics``). Some 3 MB/s.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["xxh3_64"]

_M64: Final = (1 << 64) - 1
_P32_1: Final = 0x9E3779B1
_P32_2: Final = 0x85EBCA77
_P32_3: Final = 0xC2B2AE3D
_P64_1: Final = 0x9E3779B185EBCA87
_P64_2: Final = 0xC2B2AE3D27D4EB4F
_P64_3: Final = 0x165667B19E3779F9
_P64_4: Final = 0x85EBCA77C2B2AE63
_P64_5: Final = 0x27D4EB2F165667C5
_MX1: Final = 0x165667919E3779F9
_MX2: Final = 0x9FB21C651E98DF25

_SECRET: Final = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_STRIPE_BYTES: Final = 64
_STRIPES_A_BLOCK: Final = (len(_SECRET) - _STRIPE_BYTES) // 8
_BLOCK_BYTES: Final = _STRIPE_BYTES * _STRIPES_A_BLOCK
_LANES: Final = struct.Struct("<8Q")
_KEYS: Final = tuple(_LANES.unpack_from(_SECRET, 8 * stripe) for stripe in range(_STRIPES_A_BLOCK))


def xxh3_64(data: bytes) -> int:
    """The hash, as a signed 64-bit number."""
    size = len(data)
    if size <= 16:
        value = _up_to_16(data, size)
    elif size <= 128:
        value = _up_to_128(data, size)
    elif size <= 240:
        value = _up_to_240(data, size)
    else:
        value = _long(data, size)
    return value - (1 << 64) if value >> 63 else value


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _u64(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 8], "little")


def _fold(a: int, b: int) -> int:
    product = a * b
    return (product & _M64) ^ (product >> 64)


def _avalanche(value: int) -> int:
    value ^= value >> 37
    value = value * _MX1 & _M64
    return value ^ (value >> 32)


def _avalanche_of_xxh64(value: int) -> int:
    value ^= value >> 33
    value = value * _P64_2 & _M64
    value ^= value >> 29
    value = value * _P64_3 & _M64
    return value ^ (value >> 32)


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & _M64


def _up_to_16(data: bytes, size: int) -> int:
    if size > 8:
        low = _u64(data, 0) ^ _u64(_SECRET, 24) ^ _u64(_SECRET, 32)
        high = _u64(data, size - 8) ^ _u64(_SECRET, 40) ^ _u64(_SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche((size + swapped + high + _fold(low, high)) & _M64)
    if size >= 4:
        keyed = (_u32(data, size - 4) + (_u32(data, 0) << 32)) ^ _u64(_SECRET, 8) ^ _u64(_SECRET, 16)
        keyed ^= _rotate(keyed, 49) ^ _rotate(keyed, 24)
        keyed = keyed * _MX2 & _M64
        keyed ^= (keyed >> 35) + size
        keyed = keyed * _MX2 & _M64
        return keyed ^ (keyed >> 28)
    if size:
        combined = data[0] << 16 | data[size >> 1] << 24 | data[size - 1] | size << 8
        return _avalanche_of_xxh64(combined ^ _u32(_SECRET, 0) ^ _u32(_SECRET, 4))
    return _avalanche_of_xxh64(_u64(_SECRET, 56) ^ _u64(_SECRET, 64))


def _mix16(data: bytes, offset: int, secret_offset: int) -> int:
    return _fold(
        _u64(data, offset) ^ _u64(_SECRET, secret_offset), _u64(data, offset + 8) ^ _u64(_SECRET, secret_offset + 8)
    )


def _up_to_128(data: bytes, size: int) -> int:
    value = size * _P64_1
    for pair in range((size - 1) // 32, -1, -1):
        value += _mix16(data, 16 * pair, 32 * pair) + _mix16(data, size - 16 * (pair + 1), 32 * pair + 16)
    return _avalanche(value & _M64)


def _up_to_240(data: bytes, size: int) -> int:
    value = size * _P64_1
    for part in range(8):
        value += _mix16(data, 16 * part, 16 * part)
    value = _avalanche(value & _M64)
    for part in range(8, size // 16):
        value += _mix16(data, 16 * part, 16 * (part - 8) + 3)
    value += _mix16(data, size - 16, 136 - 17)
    return _avalanche(value & _M64)


def _accumulate(sums: list[int], lanes: tuple[int, ...], keys: tuple[int, ...]) -> None:
    for lane in range(8):
        word = lanes[lane]
        keyed = word ^ keys[lane]
        sums[lane ^ 1] += word
        sums[lane] = (sums[lane] + (keyed & 0xFFFFFFFF) * (keyed >> 32)) & _M64


def _long(data: bytes, size: int) -> int:
    sums = [_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1]
    scramble = _LANES.unpack_from(_SECRET, len(_SECRET) - _STRIPE_BYTES)
    stripes = (size - 1) // _STRIPE_BYTES
    for stripe in range(stripes):
        index = stripe % _STRIPES_A_BLOCK
        _accumulate(sums, _LANES.unpack_from(data, _STRIPE_BYTES * stripe), _KEYS[index])
        if index == _STRIPES_A_BLOCK - 1 and _STRIPE_BYTES * (stripe + 1) <= (size - 1) // _BLOCK_BYTES * _BLOCK_BYTES:
            for lane in range(8):
                value = sums[lane] & _M64
                sums[lane] = (value ^ (value >> 47) ^ scramble[lane]) * _P32_1 & _M64
    last = _LANES.unpack_from(_SECRET, len(_SECRET) - _STRIPE_BYTES - 7)
    _accumulate(sums, _LANES.unpack_from(data, size - _STRIPE_BYTES), last)
    value = size * _P64_1
    for pair in range(4):
        keys = 11 + 16 * pair
        value += _fold(
            (sums[2 * pair] & _M64) ^ _u64(_SECRET, keys), (sums[2 * pair + 1] & _M64) ^ _u64(_SECRET, keys + 8)
        )
    return _avalanche(value & _M64)
