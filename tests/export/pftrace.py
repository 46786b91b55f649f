# SPDX-License-Identifier: Apache-2.0
"""A Perfetto trace as protoc decodes it, and the slices, counters and flows that are in it."""
import ast
import collections
import pathlib
import re
import subprocess

PROTO = pathlib.Path(__file__).with_name("perfetto.proto")
FIELD = re.compile(r'\s*(\w+)(?:: (.*)| \{)$')
TEXTS = {"name_iid": "event_names", "category_iids": "event_categories",
         "string_value_iid": "debug_annotation_string_values"}

Slice = collections.namedtuple("Slice", "track category name start end depth notes begins ends")


def value_of(text):
    if text.startswith('"'):
        return ast.literal_eval("b" + text).decode()
    return int(text, 0) if text.lstrip("-")[0].isdigit() else text


def packets(path):
    """Each packet as a dict: field -> list of values or dicts. Unknown fields are an error."""
    with open(path, "rb") as trace:
        decoded = subprocess.run(
            ["protoc", f"--proto_path={PROTO.parent}", "--decode=perfetto.protos.Trace", PROTO.name],
            stdin=trace, stdout=subprocess.PIPE, check=True, text=True)
    stack = [{}]
    for line in decoded.stdout.splitlines():
        if line.strip() == "}":
            done = stack.pop()
            if len(stack) == 1:
                yield done
            continue
        field = FIELD.match(line)
        assert field and not field[1].isdigit(), f"a field that Perfetto does not have: {line}"
        value = {} if field[2] is None else value_of(field[2])
        stack[-1].setdefault(field[1], []).append(value)
        if field[2] is None:
            if len(stack) == 1:
                stack[0].clear()
            stack.append(value)


class Trace:
    """Slices, which nest; counters: track -> [(time, value)]; descriptors of tracks by uuid."""

    def __init__(self, path):
        self.tracks, self.slices, self.counters = {}, [], collections.defaultdict(list)
        self.texts = collections.defaultdict(dict)
        events = []
        for number, packet in enumerate(packets(path)):
            assert packet["trusted_packet_sequence_id"] == [1]
            assert packet["sequence_flags"] == [1 if number == 0 else 2], "state is cleared once"
            self.learn(packet.get("interned_data", [{}])[0])
            for track in packet.get("track_descriptor", []):
                assert track["uuid"][0] not in self.tracks, "a track is described once"
                self.tracks[track["uuid"][0]] = track
            for event in packet.get("track_event", []):
                events.append((packet["timestamp"][0], self.resolve(event)))
        self.build(sorted(events, key=lambda event: event[0]))  # stable, as Perfetto sorts them

    def learn(self, interned):
        for kind, entries in interned.items():
            for entry in entries:
                assert entry["iid"][0] not in self.texts[kind], "an iid is given once"
                self.texts[kind][entry["iid"][0]] = entry.get("name", entry.get("str"))[0]

    def resolve(self, event):
        """Texts must be known by the time that an event names them."""
        event = dict(event)
        for key in ("name_iid", "category_iids"):
            if key in event:
                event[key] = self.texts[TEXTS[key]][event[key][0]]
        event["notes"] = {}
        for note in event.pop("debug_annotations", []):
            key = self.texts["debug_annotation_names"][note["name_iid"][0]]
            if "string_value_iid" in note:
                value = self.texts[TEXTS["string_value_iid"]][note["string_value_iid"][0]]
            else:
                value = note.get("uint_value", note.get("int_value"))[0]
            event["notes"][key] = value
        return event

    def build(self, events):
        open_slices = collections.defaultdict(list)
        for time, event in events:
            track = event["track_uuid"][0]
            assert track in self.tracks, "events are on tracks that are described"
            kind = event["type"][0]
            flows = event.get("flow_ids", []) + event.get("terminating_flow_ids", [])
            if kind == "TYPE_COUNTER":
                assert "counter" in self.tracks[track]
                self.counters[track].append((time, event["counter_value"][0]))
            elif kind == "TYPE_SLICE_BEGIN":
                open_slices[track].append((time, event, flows))
            else:
                begun, event_then, flows_then = open_slices[track].pop()
                self.slices.append(Slice(track, event_then["category_iids"], event_then["name_iid"],
                                         begun, time, len(open_slices[track]), event_then["notes"],
                                         flows_then, flows))
        assert not any(open_slices.values()), "every slice ends"
        self.check_nesting()

    def check_nesting(self):
        """An end that belongs to another begin would make slices that overlap."""
        by_track = collections.defaultdict(list)
        for piece in self.slices:
            by_track[piece.track, piece.depth].append((piece.start, piece.end))
        for pieces in by_track.values():
            pieces.sort()
            for (_, end), (start, _) in zip(pieces, pieces[1:]):
                assert end <= start, "slices of a track at one depth do not overlap"

    def name(self, track):
        return self.tracks[track].get("name", [""])[0]
