"""A comment as a page that looks about as GitHub shows it: for a look before it is posted, and for
the picture in docs/operations.md.

python -m ops.preview_comment page preview/prod/comment.md > comment.html chromium --headless
--no-sandbox --hide-scrollbars --window-size=920,1000 --screenshot=docs/preview-comment.png
comment.html
"""

from __future__ import annotations

import argparse
import pathlib
import re

STYLE = """
body { font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", Helvetica, Arial, sans-serif; color: #1f2328; margin: 16px; }
.box { border: 1px solid #d1d9e0; border-radius: 6px; max-width: 880px; }
.head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; border-radius: 6px 6px 0 0; padding: 8px 16px; color: #59636e; }
.head b { color: #1f2328; }
.body { padding: 16px; }
h2 { font-size: 1.5em; margin: 0 0 16px; padding-bottom: .3em; border-bottom: 1px solid #d1d9e0b3; }
code { background: #818b981f; padding: .2em .4em; border-radius: 6px; font: 85% ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: #f6f8fa; padding: 12px; border-radius: 6px; overflow: hidden; }
pre code { background: none; padding: 0; }
table { border-collapse: collapse; margin: 0 0 16px; }
td, th { border: 1px solid #d1d9e0; padding: 6px 13px; }
details { margin-bottom: 8px; }
blockquote { border-left: .25em solid #d1d9e0; padding: 0 1em; margin: 0 0 16px; color: #59636e; }
.caution { border-color: #cf222e; color: inherit; } .caution b { color: #cf222e; }
.warning { border-color: #9a6700; color: inherit; } .warning b { color: #9a6700; }
.add { background: #dafbe1; display: block; } .del { background: #ffebe9; display: block; }
"""


def page(comment: str) -> str:
    """The comment as an HTML page, its first changes opened. Takes what `render` makes, which holds
    no markup of others.
    """
    from markdown_it import MarkdownIt  # noqa: PLC0415 - nothing else here needs a package

    body = MarkdownIt("commonmark").enable("table").render(comment)
    for kind in ("caution", "warning"):
        body = body.replace(
            f"<blockquote>\n<p>[!{kind.upper()}]\n",
            f'<blockquote class="{kind}">\n<p><b>{kind.title()}</b></p><p>',
        )
    body = re.sub(
        r'(<pre><code class="language-diff">)(.*?)(</code></pre>)', _coloured, body, flags=re.DOTALL
    )
    body = body.replace("<details>", "<details open>", 1)
    head = '<div class="head"><b>github-actions</b> commented now</div>'
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>\n<div class="box">{head}<div class="body">\n{body}</div></div>\n'


def _coloured(found: re.Match[str]) -> str:
    """A diff with its lines marked as added and removed."""
    marks = {"+": "add", "-": "del"}
    lines = [
        f'<span class="{marks[line[0]]}">{line}</span>' if line[:1] in marks else f"{line}\n"
        for line in found[2].splitlines()
    ]
    return f"{found[1]}{''.join(lines)}{found[3]}"


def main(arguments: list[str]) -> int:
    """Prints the HTML page of a comment's file."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.preview_comment page", description="A comment as an HTML page."
    )
    parser.add_argument("comment", type=pathlib.Path, metavar="COMMENT.md")
    print(page(parser.parse_args(arguments).comment.read_text()), end="")
    return 0
