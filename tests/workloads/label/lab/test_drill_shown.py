"""Items in a real Label Studio, in a real browser → what people see at each offset, and what their mouse marks.

The picture of a task in docs/images is made here, too: pytest -m drill … --update-golden.
"""

from __future__ import annotations

import http.cookiejar
import json
import random
import re
import time
import urllib.parse
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from examples import sentences, truth
from lab import reviewing
from tests.waiting import until
from tests.workloads.label.browser import Browser
from tests.workloads.label.desk import CHECKOUT, Desk, prediction
from tests.workloads.label.reviewer import Api, marks
from workloads.label.records import Arm, Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab

pytestmark = pytest.mark.drill
# «…» is predicted, and ⟦…⟧ is marked by hand.
TEXTS = {
    "astral": "\U0001f600\U0001f600 Zoë \U0001f469\u200d\U0001f467 «Ada» paid"
    " \U0001d4b3\U0001d4b4 on «3 May» to ⟦Alan⟧ \U0001f1e9",
    "right to left": "שלום «עדה» שילמה ביום «3 במאי» ואז Ada ل⟦آلان⟧ اسم",
    "combining": "Ame\u0301lie «Zu\u0308rich» n\u0303 «e\u0301» x\u0323\u0307 ⟦हिन्दी⟧ ok",
    "line ends": "one\r\nline «two» here\r\n\r\n  indented «three» end\rold ⟦mac⟧ «four»",
    "table": "| a | b |\n|---|---|\n| «x y» | ⟦three⟧ |\n\n\tTab «tabbed»\n\n\n    lead «four»   spaces «five»  ",
    "leading blanks": "   \n\t  «lead» text   with  «double  space» ⟦last⟧",
    "invisible": "a\u00a0«b\u00a0c» \u200b«zero\u200bwidth» \u2028«line» \ufeff«mark» ⟦end⟧",
    "hostile": "<script>window.pwned=1</script> «<b>bold</b>» <img src=x onerror='window.pwned=2'> "
    '«=HYPERLINK("http://x","y")» &lt;b&gt; «&amp;» $item {{document}} «$text» javascript:alert(1) ]]> <!-- ⟦c⟧ -->',
    "address": "http://169.254.169.254/latest/«meta» s3://bucket/⟦key⟧",
    "long": ("word " * 700 + "«target» ") * 2 + "\n⟦end⟧",
}
HOSTILE_NAME = "<img src=x onerror=window.pwned=3>.txt"
# The page draws a task more than once: what is told here has stayed for half a second.
HIGHLIGHTS = """(() => {
    const told = Htx.annotationStore.selected.regionStore.regions.map(region => ({
        shown: region._spans.map(span => span.textContent).join(''), text: region.text, at: region.globalOffsets}));
    const drawn = document.querySelector('.htx-highlight');
    if (window.drawn !== drawn) { window.drawn = drawn; window.since = performance.now() }
    const ready = Htx.task.id == '%s' && told.length == %d && performance.now() - window.since > 500;
    return ready && told;
})()"""
PLACE = """(word => {
    const root = document.querySelector('.lsf-richtext__line').parentElement;
    const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node; node = nodes.nextNode();) {
        const at = node.data.indexOf(word);
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(node, at + 1);
        range.setEnd(node, at + word.length - 1);
        node.parentElement.scrollIntoView({block: 'center', behavior: 'instant'});
        const box = range.getBoundingClientRect();
        return [box.left, box.right, box.top + box.height / 2];
    }
})(%s)"""


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """One whose texts are all that is hard to show."""
    for name, text in TEXTS.items():
        desk.add({HOSTILE_NAME if name == "hostile" else f"{name}.txt": text}, Arm.ASSISTED)
    told = [
        prediction(item, [Span(start=at.start(1), end=at.end(1), label="PARTY") for at in found], "m:1")
        for item in desk.items
        if (found := list(re.finditer("«([^»]*)»", item.text)))
    ]
    desk.work.append("predictions.jsonl", told)
    desk.run("publish")
    return desk


@pytest.fixture
def browser(label_lab: LabelLab, desk: Desk, tmp_path: Path) -> Iterator[Browser]:
    """Chromium, logged in as a person is."""
    jar = http.cookiejar.CookieJar()
    person = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    page = f"{desk.url}/user/login/"
    found = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', person.open(page).read().decode())
    assert found
    account = {"email": reviewing.EMAIL, "password": reviewing.password_file(label_lab.instance).read_text()}
    form = urllib.parse.urlencode({"csrfmiddlewaretoken": found[1], **account}).encode()
    person.open(urllib.request.Request(page, form, {"Referer": page}))  # noqa: S310
    with Browser(tmp_path / "profile") as made:
        for cookie in jar:
            made.call("Network.setCookie", name=cookie.name, value=cookie.value, url=desk.url)
        yield made


def show(browser: Browser, desk: Desk, task: dict[str, Any]) -> list[dict[str, Any]]:
    """Open a task as its page shows it to a reviewer; returns what is highlighted, in order."""
    browser.open(f"{desk.url}/projects/{task['project']}/data?task={task['id']}")
    count = len(task["predictions"][0]["result"])
    told = browser.wait_for(HIGHLIGHTS % (task["id"], count))
    return sorted(told, key=lambda each: each["at"]["start"])


def test_the_text_at_each_offset_is_what_the_page_highlights(desk: Desk, browser: Browser) -> None:
    """Ours and the browser's count the same, whatever the text; and no text does anything but be read."""
    api = Api(desk.url, desk.token_file)
    tasks = api.tasks(api.project(desk.name))
    assert len(tasks) == len(TEXTS)
    for task in tasks:
        told = show(browser, desk, task)
        text, predicted = task["data"]["text"], sorted(marks(task["predictions"][0]["result"]))
        meant = [text[start:end] for start, end, _ in predicted]

        assert [each["shown"] for each in told] == meant == [each["text"] for each in told]
        sent = json.loads(browser.value("JSON.stringify(Htx.annotationStore.selected.serializeAnnotation())"))
        assert sorted(marks(sent)) == predicted
        assert browser.value("window.pwned === undefined")
        assert browser.value("document.querySelectorAll('.lsf-richtext__line b, .lsf-richtext__line img').length") == 0
    strange = {
        event["request"]["url"] for event in browser.events("Network.requestWillBeSent")
        if not event["request"]["url"].startswith((desk.url, "data:", "blob:", "about:"))
    }  # fmt: skip
    assert (strange, browser.events("Page.javascriptDialogOpening")) == (set(), [])


def test_what_a_mouse_marks_comes_back_at_the_same_offset(desk: Desk, browser: Browser) -> None:
    """A stretch is dragged over and submitted: collect finds it where it stands in our text, and what was shown."""
    api = Api(desk.url, desk.token_file)
    for task in api.tasks(api.project(desk.name)):
        show(browser, desk, task)
        browser.value("document.querySelectorAll('.lsf-label')[1].click()")
        word = re.search("⟦[^⟧]*⟧", task["data"]["text"])
        assert word
        drag(browser, word[0])
        count = len(task["predictions"][0]["result"]) + 1
        browser.wait_for(HIGHLIGHTS % (task["id"], count))
        browser.value("[...document.querySelectorAll('button')].find(each => each.textContent == 'Submit').click()")
        until(partial(api.ask, f"tasks/{task['id']}/annotations/"), task, every_s=0.1)

    report = desk.run("collect")

    assert report["reviews"] == len(TEXTS)
    items = {item.id: item for item in desk.items}
    for review in desk.reviews:
        text = items[review.item].text
        by_hand = [text[span.start : span.end] for span in review.spans if span.label == "DATE"]
        assert by_hand == [(re.search("⟦([^⟧]*)⟧", text) or [""])[1]]
        assert review.shown == [span for span in review.shown or [] if text[span.start - 1] == "«"]
        assert (review.model, len(review.spans)) == ("m:1", len(review.shown or []) + 1)


def drag(browser: Browser, word: str) -> None:
    """From the first character within the marks to the last, as a hand does it."""
    left, right, height = browser.value(PLACE % json.dumps(word))
    at = {"y": height, "button": "left", "clickCount": 1}
    browser.call("Input.dispatchMouseEvent", type="mousePressed", x=left + 0.5, **at)
    for step in range(1, 6):
        x = left + (right - left) * step / 5 - 0.3
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, buttons=1, **at)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", x=right - 0.3, **at)


def test_a_contract_is_shown_with_all_that_a_model_said(
    desk: Desk, browser: Browser, pytestconfig: pytest.Config
) -> None:
    """Every mark has its label; with --update-golden this is the picture in docs/images."""
    of, example = sentences.KINDS["contracts"], CHECKOUT / "examples/contracts"
    said = sentences.document(of, random.Random(11))[:9]  # noqa: S311  (the same contract each time)
    labels = re.findall('<Label value="([A-Z]+)"', (example / "labels.xml").read_text())
    own = Desk("contracts-shown", desk.folder, desk.python, desk.url, desk.token_file)
    own.describe((example / "labels.xml").read_text(), json.dumps(labels), "Contracts")
    own.add({"2023/contracts-014.pdf": "\n\n".join(each.text for each in said)}, Arm.ASSISTED)
    item, known = own.items[0], [truth.Known(each.text, each.spans) for each in said]
    spans = [Span(start=start, end=end, label=label) for start, end, label in truth.spans(known, item.text)]
    own.work.append("predictions.jsonl", [prediction(item, spans, "contracts:3", 0.82)])
    own.run("publish")
    api = Api(own.url, own.token_file)

    show(browser, own, api.tasks(api.project(own.name))[0])

    shown = browser.value("[...document.querySelectorAll('.htx-highlight')].map(each => each.dataset.label)")
    assert sorted(label.partition(":")[2] for label in shown) == sorted(span.label for span in spans)
    if pytestconfig.getoption("--update-golden"):
        time.sleep(2)  # for its fonts
        browser.picture(CHECKOUT / "docs/images/label-studio.png")
