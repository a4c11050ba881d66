"""How a dialogue becomes a prompt, in the form in which other programs are told: a Jinja template.

In: the wording that a model was trained with. Out: a template that does what
`template.encode_prompt` does, so that no other program asks the model in a form
that it never learnt. Only what llama.cpp's own small renderer has is used: loops,
conditions, `set`, `namespace`. What it can't do: other programs cut one long text
into pieces, so a mark that a person typed is a mark there; and where plain text
stands beside people's words (Wenzhong's "Question:", the line's end of a chat
template) words that begin with a sign or a blank may share a piece with it. Words
of any third role are left out, for no model was trained with them. Nothing here
knows a tokenizer.
"""

from __future__ import annotations

from psyllm.lm.template import Frame
from psyllm.lm.wording import Wording

ESCAPED = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# An answer after which the visitor said nothing is no part of a prompt, and is a new one where none is asked for.
BODY = """\
{%- set at = namespace(last=0, said='nothing') -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{%- set at.last = loop.index -%}{%- endif -%}
{%- if message.role == 'assistant' and not add_generation_prompt -%}{%- set at.last = loop.index -%}{%- endif -%}
{%- endfor -%}
{%- for message in messages -%}
{%- if message.role == 'user' and loop.index <= at.last -%}
{%- if at.said == 'nothing' -%}{{- first -}}{%- endif -%}
{%- if at.said == 'user' -%}{{- again -}}{%- endif -%}
{%- if at.said == 'assistant' -%}{{- following -}}{%- endif -%}
{{- message.content -}}
{%- set at.said = 'user' -%}
{%- endif -%}
{%- if message.role == 'assistant' and loop.index <= at.last -%}
{%- if at.said == 'nothing' -%}{{- unasked -}}{%- endif -%}
{%- if loop.index == at.last -%}{{- answer -}}{%- else -%}{{- past_answer -}}{%- endif -%}
{{- message.content -}}
{{- end -}}
{%- set at.said = 'assistant' -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{%- if at.said == 'nothing' -%}{{- unasked -}}{%- endif -%}
{{- answer -}}
{%- endif -%}
"""


def dialogue_form(wording: Wording) -> str:
    """Return the template; visitor and counsellor are `user` and `assistant` in it."""
    named = "".join(f"{{%- set {name} = {_quoted(getattr(wording, name))} -%}}\n" for name in Frame._fields)
    return named + BODY


def _quoted(text: str) -> str:
    return "'" + "".join(ESCAPED.get(character, character) for character in text) + "'"
