import { expect, test } from "bun:test"
import { earlyHintLines, hintLinkLengthMax, hintLinksMax } from "./early-hints.ts"

test("links that may go out early", () => {
  const cases: readonly [string, string][] = [
    ["", ""],
    ["</s.css>; rel=preload; as=style", "Link: </s.css>; rel=preload; as=style\r\n"],
    ['</s.css>;REL="Preload"', 'Link: </s.css>;REL="Preload"\r\n'],
    ["<https://cdn.example>; rel=preconnect", "Link: <https://cdn.example>; rel=preconnect\r\n"],
    ["</m.js>; rel=modulepreload", "Link: </m.js>; rel=modulepreload\r\n"],
    ['</s.css>; rel="stylesheet preload"', 'Link: </s.css>; rel="stylesheet preload"\r\n'],
    ["</s.css>; as=style; rel = preload", "Link: </s.css>; as=style; rel = preload\r\n"],
    ["</a>; rel=preload, </b>; rel=next , </c>; rel=preconnect", "Link: </a>; rel=preload\r\nLink: </c>; rel=preconnect\r\n"],
    ["</a,b>; rel=preload", "Link: </a,b>; rel=preload\r\n"],
    ['</a>; title="x, <y>; rel=preload"; rel=next', ""],
    ['</a>; title="x\\", y"; rel=preload', 'Link: </a>; title="x\\", y"; rel=preload\r\n'],
    ["</a>; rel=next; rel=preload", ""],
    ["</a>; rel=stylesheet", ""],
    ["</a>; rel=prefetch", ""],
    ["</a>; rel=preloaded", ""],
    ["</a>; xrel=preload", ""],
    ["</a>; rel", ""],
    ["</a>", ""],
    ["/a; rel=preload", ""],
    ["</a; rel=preload", ""],
    [",,, ;,", ""],
    ['"</a>; rel=preload', ""],
    ['</a>; rel="preload', ""],
  ]
  for (const [link, lines] of cases) expect({ link, lines: earlyHintLines(link) }).toEqual({ link, lines })
})

test("so many, and none that is long", () => {
  const many = Array.from({ length: hintLinksMax + 5 }, (_, i) => `</${i}>; rel=preload`).join(", ")
  expect(earlyHintLines(many).match(/Link: /g)).toHaveLength(hintLinksMax)
  expect(earlyHintLines(`</${"x".repeat(hintLinkLengthMax)}>; rel=preload, </b>; rel=preload`)).toBe("Link: </b>; rel=preload\r\n")
})
