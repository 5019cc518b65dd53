import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from hermes_tui.core.messages import Checklist, Diff, ToolResult
from hermes_tui.tui.render.palette import DEFAULT
from hermes_tui.tui.view.blocks import Drawing
from hermes_tui.tui.view.page import Page
from hermes_tui.tui.view.transcript import TranscriptView
from tests.tui.render.test_diff import CHANGE
from tests.tui.render.texts import ANSWER, AWKWARD, assert_drawable
from tests.tui.view.stage import call, conversation, seen, staged


def play(view: TranscriptView) -> None:
    """A turn with every kind of block."""
    view.add_user("Rename load() and run the tests.\n日本語 too.")
    view.append_reasoning("First find the definition. Then the callers.")
    view.append_text("I'll rename it:\n\n```python\ndef load_config(): ...\n```\n")
    for number, name, arguments, content in (
        ("1", "read_file", {"path": "src/config.py", "offset": 5, "limit": 10}, "x\ny"),
        ("2", "search_files", {"pattern": "load(", "path": "src"}, "a.py:1:x\na.py:2:y\nb.py:9:z"),
        ("3", "list_files", {}, "1  a.py\n2  b.py\n[2 of 9 files; narrow the search.]"),
        ("4", "memory", {"action": "add", "target": "user", "text": "likes tests"}, "Kept."),
        ("5", "hub__send", {"to": "me", "n": 3}, "sent"),
    ):
        view.open_card(call(number, name, **arguments), "docker")
        view.close_card(ToolResult(number, content), 0.04)
    view.open_card(call("6", "edit_file", path="src/config.py"), "docker")
    view.close_card(ToolResult("6", "Edited.", display=Diff("src/config.py", CHANGE)), 0.1)
    view.open_card(call("7", "todo"), "")
    plan = Checklist((("done", "find it"), ("doing", "rename it"), ("pending", "document it")))
    view.close_card(ToolResult("7", "ok", display=plan), 0.0)
    view.open_card(call("8", "read_file", path="nope.py"), "docker")
    view.close_card(ToolResult("8", "There is no nope.py.", is_error=True), 0.0)
    view.open_card(call("9", "terminal", command="make\nmake test"), "docker")
    view.write_card("9", "".join(f"\x1b[32mline {number}\x1b[0m\n" for number in range(20)))
    view.close_card(ToolResult("9", "line 19\n[Exit code 2.]", is_error=True), 125.0)
    view.mark_card_waiting(call("10", "terminal", command="rm -rf build"))
    view.add_notice("The context is nearly full.", "warning")
    view.add_notice("The model failed.", "error")
    view.append_text("One test still fails")


@pytest.mark.parametrize("width", [20, 40, 80, 158])
async def test_a_turn_with_every_kind_of_block(width: int, snapshot: SnapshotAssertion) -> None:
    view = TranscriptView(clock=lambda: 0.0)
    async with staged(view, (width, 110)):
        play(view)
        assert "\n".join(seen(view)).rstrip() == snapshot


async def test_stored_messages_look_like_the_live_ones() -> None:
    view = TranscriptView()
    async with staged(view, (60, 30)):
        view.show_history(conversation(1))
        stored = seen(view)
        view.clear()
        view.add_user("Question 0?")
        view.append_reasoning("Hm.")
        view.append_text("Looking at **0**.")
        view.open_card(call("call-0", "list_files", path="folder-0"), "")
        view.close_card(ToolResult("call-0", "a-0\nb-0"), 0.0)
        view.append_text("Answer 0:\n\n- one\n- two\n\n```python\nx = 0\n```")
        view.finish_answer()
        assert [line.replace("0.0 s", "     ") for line in seen(view)] == stored


async def test_ten_thousand_messages_cost_a_few_screens() -> None:
    view = TranscriptView()
    async with staged(view, (80, 24)) as pilot:
        view.page.drawn = 0
        view.show_history(conversation(2_500))
        assert view._idle is not None
        view._idle.pause()
        assert seen(view)[-1].strip() == "x = 2499"
        assert view.block_count == 12_500
        assert view.page.drawn < 60
        before = view.page.drawn
        await pilot.press("pageup", "pageup")
        assert view.page.drawn - before < 120
        before = view.page.drawn
        await pilot.press("g")
        assert seen(view)[0].strip() == "▌ Question 0?"
        await pilot.press("G")
        assert seen(view)[-1].strip() == "x = 2499"
        view.append_text("Another answer")
        view.append_text(" grows.")
        assert seen(view)[-1].strip() == "Another answer grows."


async def test_streaming_draws_one_block_and_only_its_last_piece() -> None:
    view = TranscriptView(clock=lambda: 0.0)
    async with staged(view, (60, 20)):
        view.show_history(conversation(50))
        before = view.page.drawn
        for number in range(200):
            view.append_text(f"Paragraph {number}.\n\n")
        assert view.page.drawn - before == 200
        block = view.page.blocks[-1]
        assert view.page.changed_from(view.block_count - 1) >= view.page.height - 4
        assert seen(view)[-1].strip() == "Paragraph 199."
        view.finish_answer()
        assert block.plain.startswith("Paragraph 0.")


async def test_a_reader_at_the_end_follows_and_one_further_up_is_left_alone() -> None:
    view = TranscriptView(clock=lambda: 0.0)
    async with staged(view, (60, 10)) as pilot:
        view.show_history(conversation(3))
        view.append_text("first\n\n")
        assert seen(view)[-1].strip() == "first"
        await pilot.press("k", "k", "k")
        still = seen(view)
        assert not view.follow
        view.append_text("second\n\nthird\n")
        view.add_notice("careful", "info")
        assert view.unseen_lines == 6
        assert seen(view)[:-1] == still[:-1]
        assert seen(view)[-1].endswith("↓ 6 new lines")
        await pilot.press("G")
        assert view.follow
        assert view.unseen_lines == 0
        assert seen(view)[-1].strip() == "∙ careful"


async def test_the_wheel_and_the_hint_leave_and_resume_following() -> None:
    view = TranscriptView(clock=lambda: 0.0)
    async with staged(view, (60, 10)) as pilot:
        view.show_history(conversation(3))
        await pilot.hover(TranscriptView, offset=(5, 5))
        await pilot._post_mouse_events(
            [__import__("textual.events").events.MouseScrollUp], view, (5, 5)
        )
        view.append_text("news")
        assert not view.follow
        assert view.unseen_lines == 2
        await pilot.click(TranscriptView, offset=(50, 9))
        assert view.follow


async def test_older_messages_are_admitted_without_moving_the_reader() -> None:
    view = TranscriptView()
    async with staged(view, (60, 12)) as pilot:
        view.show_history(conversation(200))
        passed = seen(view)
        for _ in range(12):
            await pilot.press("pageup")
            passed = seen(view) + passed
        whole = [view.page.line(line) for line in range(view.page.height)]
        assert passed == [strip.text.rstrip() for strip in whole if strip][-len(passed) :]


async def test_space_folds_the_last_card_and_a_click_folds_the_one_under_it() -> None:
    view = TranscriptView()
    async with staged(view, (60, 20)) as pilot:
        view.open_card(call("1", "terminal", command="seq 3"), "local")
        view.write_card("1", "one\ntwo\nthree\n")
        view.close_card(ToolResult("1", "one\ntwo\nthree"), 1.0)
        assert [line.strip() for line in seen(view)[1:4]] == ["one", "two", "three"]
        await pilot.press("space")
        assert seen(view)[1] == ""
        assert seen(view)[0].startswith("   ▸ shell   $ seq 3")
        await pilot.click(TranscriptView, offset=(10, 0))
        assert seen(view)[1].strip() == "one"


async def test_brackets_move_the_cursor_and_enter_folds_there() -> None:
    view = TranscriptView()
    async with staged(view, (60, 30)) as pilot:
        view.show_history(conversation(2))
        await pilot.press("[", "[", "[")
        assert [line for line in seen(view) if line[:1] == "▌"] == ["▌  Looking at 1."]
        await pilot.press("]", "enter")
        assert [line for line in seen(view) if line[:1] == "▌"][1:] == ["▌    a-1", "▌    b-1"]


async def test_failed_calls_open_themselves_unless_the_person_folded_them() -> None:
    view = TranscriptView()
    async with staged(view, (60, 20)) as pilot:
        view.open_card(call("1", "read_file", path="a"), "")
        view.close_card(ToolResult("1", "no such file", is_error=True), 0.0)
        assert "no such file" in seen(view)[1]
        view.open_card(call("2", "terminal", command="false"), "")
        view.write_card("2", "noise\n")
        await pilot.press("space")
        view.close_card(ToolResult("2", "[Exit code 1.]", is_error=True), 0.0)
        assert not any("noise" in line for line in seen(view))


async def test_resizing_there_and_back_keeps_the_reading_position() -> None:
    view = TranscriptView()
    async with staged(view, (100, 20)) as pilot:
        view.show_history(conversation(60))
        await pilot.press("pageup", "pageup", "pageup")
        before = seen(view)
        await pilot.resize_terminal(40, 20)
        await pilot.resize_terminal(100, 20)
        await pilot.pause()
        assert seen(view)[0] == before[0]
        assert not view.follow


async def test_resizing_while_following_stays_at_the_end() -> None:
    view = TranscriptView()
    async with staged(view, (100, 30)) as pilot:
        view.show_history(conversation(20))
        for size in ((40, 30), (40, 8), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert view.follow
            assert seen(view)[-1].strip() == "x = 19"


async def test_copying_takes_the_block_at_the_cursor_or_the_last_answer() -> None:
    view = TranscriptView()
    async with staged(view, (60, 30)) as pilot:
        view.add_user("copy\x1b]52;c;me\u202e")
        view.append_text("**bold** answer")
        view.finish_answer()
        view.add_notice("after", "info")
        await pilot.press("y")
        assert pilot.app.clipboard == "**bold** answer"
        await pilot.press("[", "[", "[", "y")
        assert pilot.app.clipboard == "copy]52;c;me⟨U+202E⟩"


async def test_a_selection_holds_the_text_without_margins() -> None:
    view = TranscriptView()
    async with staged(view, (60, 20)) as pilot:
        view.append_text("one\n\ntwo words\n\nthree")
        view.finish_answer()
        await pilot.mouse_down(TranscriptView, offset=(4, 0))
        await pilot.hover(TranscriptView, offset=(6, 2))
        await pilot.mouse_up(TranscriptView, offset=(6, 2))
        assert pilot.app.screen.get_selected_text() == "ne\n\ntwo"


async def test_a_double_click_selects_the_block_under_it() -> None:
    view = TranscriptView()
    async with staged(view, (60, 20)) as pilot:
        view.append_text("only\n\nthis")
        view.finish_answer()
        view.add_notice("not this", "info")
        await pilot.click(TranscriptView, offset=(5, 0), times=2)
        assert pilot.app.screen.get_selected_text() == "only\n\nthis"


async def test_a_theme_change_recolours_what_is_drawn() -> None:
    view = TranscriptView()
    async with staged(view, (60, 20)) as pilot:
        view.append_text("# Title")
        before = view.render_line(0)
        pilot.app.theme = "textual-light"
        await pilot.pause()
        await pilot.pause()
        assert view.render_line(0).text == before.text
        assert view.render_line(0) != before


async def test_what_is_said_before_the_first_layout_is_there_afterwards() -> None:
    view = TranscriptView()
    view.show_history(conversation(1))
    view.add_user("early")
    view.append_text("bird")
    view.open_card(call("1", "terminal", command="ls"), "local")
    view.write_card("1", "file\n")
    async with staged(view, (60, 24)):
        lines = [line.strip() for line in seen(view) if line]
        assert lines[-4:-2] == ["▌ early", "bird"]
        assert lines[-1] == "file"


async def test_the_clock_of_a_running_card_moves_and_stops() -> None:
    now = 100.0
    view = TranscriptView(clock=lambda: now)
    async with staged(view, (60, 10)):
        view.open_card(call("1", "terminal", command="sleep 9"), "local")
        now = 107.9
        view._turn()
        assert "  7 s" in seen(view)[0]
        view.close_card(ToolResult("1", "done"), 7.9)
        assert "7.9 s  ✓" in seen(view)[0]


@given(st.lists(st.tuples(st.integers(0, 6), AWKWARD), max_size=8), st.integers(1, 50))
def test_any_text_in_any_block_is_drawn_to_the_width(
    said: list[tuple[int, str]], width: int
) -> None:
    view = TranscriptView()
    for number, (kind, text) in enumerate(said):
        match kind:
            case 0:
                view.add_user(text)
            case 1:
                view.append_text(text)
            case 2:
                view.append_reasoning(text)
            case 3:
                view.add_notice(text, "error")
            case 4:
                view.open_card(call(str(number), text, **{text: text}), text)
                view.write_card(str(number), text)
            case 5:
                view.open_card(call(str(number), "terminal", command=text), text)
                view.close_card(ToolResult(str(number), text, is_error=True), 1.0)
            case _:
                view.open_card(call(str(number), "edit_file", path=text), text)
                view.close_card(ToolResult(str(number), text, display=Diff(text, text)), 1.0)
    page: Page = view.page
    page.draw_as(Drawing(width, DEFAULT))
    page.fill_above(10_000)
    strips = [page.line(line) for line in range(page.height)]
    assert_drawable([strip for strip in strips if strip is not None], width)
    assert len(strips) == sum(len(page.strips(index)) for index in range(len(page.blocks)))
    assert None not in strips


async def test_a_long_answer_is_drawn_the_same_live_and_stored() -> None:
    live, stored = TranscriptView(clock=lambda: 0.0), TranscriptView()
    async with staged(live, (50, 60)):
        for start in range(0, len(ANSWER), 7):
            live.append_text(ANSWER[start : start + 7])
        live.finish_answer()
        lines = seen(live)
    async with staged(stored, (50, 60)):
        stored.append_text(ANSWER)
        stored.finish_answer()
        assert seen(stored) == lines
