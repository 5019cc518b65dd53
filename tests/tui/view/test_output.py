from hermes_tui.tui.view.output import OutputView
from tests.tui.view.stage import seen, staged


async def test_output_is_followed_until_the_reader_scrolls_up() -> None:
    view = OutputView()
    async with staged(view, (40, 5)) as pilot:
        view.write("".join(f"line {number}\n" for number in range(50)))
        assert seen(view) == [f"line {number}" for number in range(45, 50)]
        await pilot.press("k", "k")
        assert not view.follow
        view.write("more\nand more\n")
        assert seen(view) == [f"line {number}" for number in range(43, 48)]
        await pilot.press("G")
        assert view.follow
        assert seen(view)[-2:] == ["more", "and more"]


async def test_lines_forgotten_at_the_front_do_not_move_the_reader() -> None:
    view = OutputView(limit=100)
    async with staged(view, (40, 5)) as pilot:
        view.write("".join(f"line {number}\n" for number in range(100)))
        await pilot.press("u", "u")
        before = seen(view)
        view.write("".join(f"new {number}\n" for number in range(30)))
        assert seen(view) == before
        assert len(view.lines) == 100


async def test_a_progress_bar_takes_one_line() -> None:
    view = OutputView()
    async with staged(view, (40, 5)):
        for percent in range(0, 101, 5):
            view.write(f"\r\x1b[32m{percent}%\x1b[0m downloading")
        view.write("\ndone\n")
        assert view.plain_text() == "100% downloading\ndone"


async def test_colours_are_worked_out_for_lines_in_sight_only() -> None:
    view = OutputView()
    async with staged(view, (40, 10)) as pilot:
        view.drawn = 0
        for _ in range(100):
            view.write("\x1b[31mred\x1b[0m\n" * 100)
        await pilot.pause()
        await pilot.press("u", "u")
        assert len(view.lines) == 10_000
        assert view.drawn < 500


async def test_nothing_a_terminal_obeys_is_drawn() -> None:
    view = OutputView()
    async with staged(view, (60, 5)):
        view.write("\x1b]52;c;SGk=\x07safe\x1b[2J \u202egpj.exe \x9b31mx")
        assert seen(view)[0] == "safe ⟨U+202E⟩gpj.exe x"


async def test_long_lines_are_reached_by_scrolling_sideways() -> None:
    view = OutputView()
    async with staged(view, (20, 5)) as pilot:
        view.write("日本" * 20 + "end\n")
        assert seen(view)[0] == "日本日本日本日本日 …"
        await pilot.press("l", "l")
        assert seen(view)[0] == "本日本日本日本日本 …"
        view.scroll_to(x=1_000)
        assert seen(view)[0].endswith("end")


async def test_what_goes_on_beyond_the_edge_ends_in_an_ellipsis() -> None:
    view = OutputView()
    async with staged(view, (20, 5)) as pilot:
        view.write("x" * 20 + "\n" + "y" * 21 + "\n")
        assert seen(view)[:2] == ["x" * 20, "y" * 19 + "…"]
        await pilot.press("l")
        assert seen(view)[1] == "y" * 20


async def test_clearing_starts_over() -> None:
    view = OutputView()
    async with staged(view, (20, 5)):
        view.write("a\nb\x1b[3")
        view.clear()
        view.write("1mc")
        assert view.plain_text() == "1mc"


async def test_a_title_is_never_markup() -> None:
    view = OutputView()
    async with staged(view, (40, 5)) as pilot:
        view.styles.border = ("round", "red")
        view.title = "[@click=app.quit]ls[/] \x1b]0;x\x07"
        top = pilot.app.screen._compositor.render_strips()[0].text
        assert "[@click=app.quit]ls[/] ]0;x" in top


async def test_a_selection_holds_the_text_without_colours() -> None:
    view = OutputView()
    async with staged(view, (40, 5)) as pilot:
        view.write("\x1b[31mone\x1b[0m two\nthree\n")
        await pilot.mouse_down(OutputView, offset=(4, 0))
        await pilot.hover(OutputView, offset=(2, 1))
        await pilot.mouse_up(OutputView, offset=(2, 1))
        assert pilot.app.screen.get_selected_text() == "two\nthr"


async def test_what_is_written_before_the_first_layout_is_shown_from_its_end() -> None:
    view = OutputView()
    view.write("".join(f"{number}\n" for number in range(50)))
    async with staged(view, (20, 5)):
        assert seen(view) == ["45", "46", "47", "48", "49"]
