#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Headless Chromium by its DevTools protocol over a pipe: no package but Debian's chromium, and
no port. What a page logs, throws or asks the network for is kept.
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import struct
import subprocess
import tempfile
import zlib


def find():
    """The browser's program, or None."""
    return shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')


class Browser:
    """One page. Messages go to file descriptor 3 of the browser and come from 4, NUL behind each."""

    def __init__(self, directory):
        to_read, self.to = os.pipe()
        self.source, from_write = os.pipe()
        # the browser closes what is above 2, but for 3 and 4
        self.process = subprocess.Popen(
            ['/bin/sh', '-c', f'exec 3<&{to_read} 4>&{from_write}; exec "$@"', 'sh', find(), '--headless',
             '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
             '--hide-scrollbars', '--force-color-profile=srgb', '--disable-background-networking',
             f'--user-data-dir={directory}', '--remote-debugging-pipe', 'about:blank'],
            pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        os.close(to_read)
        os.close(from_write)
        self.buffer, self.numbers = b'', itertools.count(1)
        self.problems, self.requests, self.events = [], [], []
        self.session = None
        target = next(one for one in self.call('Target.getTargets')['targetInfos'] if one['type'] == 'page')
        self.session = self.call('Target.attachToTarget', targetId=target['targetId'], flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(domain + '.enable')

    def receive(self):
        while b'\0' not in self.buffer:
            data = os.read(self.source, 1 << 20)
            if not data:
                raise RuntimeError('the browser ended')
            self.buffer += data
        message, self.buffer = self.buffer.split(b'\0', 1)
        return json.loads(message)

    def note(self, message):
        method, parameters = message.get('method'), message.get('params', {})
        self.events.append(method)
        if method == 'Runtime.exceptionThrown':
            details = parameters['exceptionDetails']
            self.problems.append(details.get('exception', {}).get('description') or details['text'])
        elif method == 'Runtime.consoleAPICalled' and parameters['type'] in ('error', 'warning', 'assert'):
            self.problems.append(str([one.get('value') for one in parameters['args']]))
        elif method == 'Log.entryAdded' and parameters['entry']['level'] in ('error', 'warning'):
            self.problems.append(parameters['entry']['text'])
        elif method == 'Network.requestWillBeSent':
            self.requests.append(parameters['request']['url'])

    def call(self, method, **parameters):
        number = next(self.numbers)
        message = {'id': number, 'method': method, 'params': parameters}
        if self.session:
            message['sessionId'] = self.session
        self.send(json.dumps(message).encode() + b'\0')
        while True:
            answer = self.receive()
            if answer.get('id') == number:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']
            self.note(answer)

    def send(self, data):
        while data:
            data = data[os.write(self.to, data):]

    def js(self, expression):
        """The value of an expression, which may be a promise."""
        answer = self.call('Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True)
        if 'exceptionDetails' in answer:
            raise RuntimeError(f'{expression}: {answer["exceptionDetails"]}')
        return answer['result'].get('value')

    def open(self, path, width=1280, height=800, scheme='light'):
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1,
                  mobile=False)
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        self.events.clear()
        self.call('Page.navigate', url='file://' + os.path.abspath(path))
        while 'Page.loadEventFired' not in self.events:
            self.note(self.receive())
        self.rest()

    def rest(self):
        """Until what was asked for has been drawn."""
        self.js('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')

    def mouse(self, kind, x, y, **more):
        self.call('Input.dispatchMouseEvent', type=kind, x=x, y=y, **more)

    def click(self, x, y):
        self.mouse('mouseMoved', x, y)
        self.mouse('mousePressed', x, y, button='left', clickCount=1)
        self.mouse('mouseReleased', x, y, button='left', clickCount=1)
        self.rest()

    def drag(self, x, y, to_x, to_y):
        self.mouse('mousePressed', x, y, button='left', clickCount=1)
        for part in (0.5, 1):
            self.mouse('mouseMoved', x + (to_x - x) * part, y + (to_y - y) * part, button='left', buttons=1)
        self.mouse('mouseReleased', to_x, to_y, button='left', clickCount=1)
        self.rest()

    def wheel(self, x, y, delta, **more):
        self.mouse('mouseWheel', x, y, deltaX=0, deltaY=delta, **more)
        self.rest()

    def key(self, key, text=None, modifiers=0):
        """Press and let go; text: what it types."""
        code = {'Enter': 13, 'Tab': 9, 'Escape': 27, 'Home': 36, 'ArrowLeft': 37, 'ArrowUp': 38,
                'ArrowRight': 39, 'ArrowDown': 40}.get(key, 0)
        text = '\r' if key == 'Enter' else text
        more = {'text': text} if text else {}
        self.call('Input.dispatchKeyEvent', type='keyDown' if text else 'rawKeyDown', key=key,
                  windowsVirtualKeyCode=code, modifiers=modifiers, **more)
        self.call('Input.dispatchKeyEvent', type='keyUp', key=key, windowsVirtualKeyCode=code,
                  modifiers=modifiers)
        self.rest()

    def touch(self, kind, *points):
        self.call('Input.dispatchTouchEvent', type=kind, touchPoints=[{'x': x, 'y': y} for x, y in points])

    def screenshot(self, x, y, width, height):
        """A part of what is seen, as an Image. Unpacking takes its time: ask for little."""
        clip = {'x': x, 'y': y, 'width': width, 'height': height, 'scale': 1}
        return Image(base64.b64decode(self.call('Page.captureScreenshot', format='png', clip=clip)['data']))

    def close(self):
        with contextlib.suppress(RuntimeError, OSError):
            self.session = None
            self.call('Browser.close')
        with contextlib.suppress(OSError):
            os.close(self.to)
            os.close(self.source)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Image:
    """Pixels of a PNG of 8 bits RGB or RGBA (RFC 2083)."""

    def __init__(self, data):
        at, packed = 8, b''
        while at < len(data):
            length, kind = struct.unpack('>I4s', data[at:at + 8])
            body = data[at + 8:at + 8 + length]
            if kind == b'IHDR':
                self.width, self.height, depth, colour = struct.unpack('>IIBB', body[:10])
                assert depth == 8 and colour in (2, 6)
                self.bytes = 3 if colour == 2 else 4
            elif kind == b'IDAT':
                packed += body
            at += 12 + length
        self.rows = self.unfilter(zlib.decompress(packed))

    def unfilter(self, raw):
        rows, width, step = [], self.width * self.bytes, self.bytes
        above = bytearray(width)
        for y in range(self.height):
            start = y * (width + 1)
            kind, row = raw[start], bytearray(raw[start + 1:start + 1 + width])
            for i in range(width if kind else 0):
                left = row[i - step] if i >= step else 0
                corner = above[i - step] if i >= step else 0
                row[i] = (row[i] + predict(kind, left, above[i], corner)) & 255
            rows.append(row)
            above = row
        return rows

    def pixel(self, x, y):
        start = int(x) * self.bytes
        return tuple(self.rows[int(y)][start:start + 3])


def predict(kind, left, up, corner):
    if kind == 1:
        return left
    if kind == 2:
        return up
    if kind == 3:
        return (left + up) // 2
    paeth = left + up - corner
    return min((left, up, corner), key=lambda one: abs(paeth - one))


@contextlib.contextmanager
def started():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        browser = Browser(directory)
        try:
            yield browser
        finally:
            browser.close()
