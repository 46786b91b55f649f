#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Make a C file of the page that `cutrace export --html` writes: assemble.py OUTPUT PAGE LICENSE STYLE... SCRIPT...

Styles and scripts go into the page, which by its content security policy runs these and
nothing else, and fetches nothing. The licence of what is not cutrace's own is a comment in it.
The data comes where the page says <!--data-->.
"""

import base64
import hashlib
import os
import sys

CHUNK = 2000  # bytes of a string literal; C17 promises 4095


def joined(paths, extension):
    texts = []
    for path in paths:
        if path.endswith(extension):
            with open(path, encoding='utf-8') as file:
                texts.append(file.read())
    return '\n'.join(texts)


def source(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def page(template, licence, style, script):
    if '</s' in style + script or '--' in licence:
        raise SystemExit('assemble: a style, script or comment ends before its end')
    policy = (f"default-src 'none'; img-src data:; style-src {source(style)}; "
              f"script-src {source(script)}; base-uri 'none'; form-action 'none'")
    for mark, text in (('<!--policy-->', policy), ('<!--style-->', style),
                       ('<!--script-->', script), ('<!--licence-->', f'<!--\n{licence}-->')):
        before, after = template.split(mark)
        template = before + text + after
    return template.split('<!--data-->')


def literals(name, text):
    data = text.encode()
    yield f'const char *const {name}[] = {{\n'
    for start in range(0, len(data), CHUNK):
        chunk = data[start:start + CHUNK]
        yield '\t"' + ''.join(
            f'\\{byte:03o}' if byte < 32 or byte > 126 or byte in b'"\\?' else chr(byte)
            for byte in chunk) + '",\n'
    yield '\t"",\n};\n'


def main(output, template, licence, *parts):
    before, after = page(joined([template], ''), joined([licence], ''), joined(parts, '.css'),
                         joined(parts, '.js'))
    with open(output, 'w', encoding='ascii') as file:
        file.write(f'/* Made by {os.path.basename(__file__)}. */\n')
        for name, text in (('ct_html_before', before), ('ct_html_after', after)):
            file.write(f'extern const char *const {name}[];\n')
            file.writelines(literals(name, text))


if __name__ == '__main__':
    main(*sys.argv[1:])
