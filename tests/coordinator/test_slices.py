from __future__ import annotations

import time

import pytest
import trio
import trio.testing

from ottla.coordinator.slices import LoopLag, Slices


def test_a_slice_gives_way_when_it_is_spent() -> None:
    async def main() -> None:
        clock = trio.testing.MockClock()
        others: list[int] = []

        async def other() -> None:
            others.append(1)

        async with trio.open_nursery() as nursery:
            slices = Slices(5)
            nursery.start_soon(other)
            await slices.pause()
            assert others == []
            assert not slices.is_spent
        del clock

    trio.run(main)


def test_a_spent_slice_lets_others_run() -> None:
    clock = trio.testing.MockClock()

    async def main() -> None:
        others: list[int] = []

        async def other() -> None:
            others.append(1)

        async with trio.open_nursery() as nursery:
            slices = Slices(5)
            clock.jump(0.006)
            nursery.start_soon(other)
            await slices.pause()
            await slices.pause()
            await trio.lowlevel.checkpoint()
            assert others == [1]
            assert not slices.is_spent

    trio.run(main, clock=clock)


def test_loop_lag_is_the_length_of_a_pass() -> None:
    lag = LoopLag()
    clock = trio.testing.MockClock()

    async def main() -> None:
        lag.reset()
        for pass_ms in [1] * 98 + [40]:
            clock.jump(pass_ms / 1000)
            await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        assert lag.longest_ms == pytest.approx(40)
        # 40 of 138 milliseconds were in the long pass.
        assert lag.quantile_ms(0.999) == pytest.approx(40)
        assert 1 <= lag.quantile_ms(0.5) <= 1.2
        # Whoever arrives while nothing happens waits for nobody.
        await trio.lowlevel.checkpoint()

    trio.run(main, clock=clock, instruments=[lag])


def test_loop_lag_counts_the_time_in_which_nothing_happens() -> None:
    lag = LoopLag()

    async def main() -> None:
        lag.reset()
        time.sleep(0.02)  # noqa: ASYNC251
        await trio.lowlevel.checkpoint()
        assert lag.longest_ms >= 20
        assert lag.quantile_ms(0.9) >= 16
        await trio.sleep(0.3)
        assert lag.quantile_ms(0.5) < 5

    trio.run(main, instruments=[lag])


def test_the_lag_of_a_minute_is_told_apart_from_the_minute_before() -> None:
    lag = LoopLag()
    clock = trio.testing.MockClock()

    async def main() -> None:
        for pass_ms in (200, 200):
            clock.jump(pass_ms / 1000)
            await trio.lowlevel.checkpoint()
        mark = lag.mark()
        for pass_ms in [1] * 60 + [40]:
            clock.jump(pass_ms / 1000)
            await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        was = lag.since(mark)
        assert 40 <= was.longest_ms <= 48
        assert was.p999_ms == was.longest_ms
        assert was.busy == pytest.approx(1)
        # The clock jumped: no core did that.
        assert was.on_core < 0.9
        assert lag.since(lag.mark()).p999_ms == 0

    trio.run(main, clock=clock, instruments=[lag])
