#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Let a shared library run on an older glibc than the one it was linked with.

old_needs.py LIBRARY MAJOR.MINOR

Symbols that it needs in a version newer than GLIBC_MAJOR.MINOR it then needs in any version, and
the newer versions it no longer asks for. That is right for functions that only moved between
glibc's libraries (pthread_*, dl*): they kept their meaning and have one version in old and new
ones. Whatever else it needs must come from elsewhere (old_stat.c); the names are printed.
The format: System V ABI, and "Symbol Versioning" in the Linux Standard Base.

Exit status: 0 done, or nothing to do; 1 the library is not as this program expects.
"""
import struct
import sys

ANY = 1  # VER_NDX_GLOBAL
SECTION = struct.Struct("<IIQQQQIIQQ")  # Elf64_Shdr: name, .., 4 offset, 5 size, .., 7 info
SYMBOL_BYTES = 24
NEED = struct.Struct("<HHIII")  # Elf64_Verneed: version, count, file, aux, next
AUX = struct.Struct("<IHHII")  # Elf64_Vernaux: hash, flags, index, name, next


def sections(data):
    """The section headers, by name."""
    assert data[:6] == b"\x7fELF\2\1", "not a 64-bit little-endian ELF file"
    start, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [SECTION.unpack_from(data, start + n * size) for n in range(count)]
    return {string(data, headers[names][4] + header[0]): header for header in headers}


def string(data, at):
    return data[at:data.index(0, at)].decode()


def wanted_versions(data, needs, strings):
    """Yield (offset of the Elf64_Vernaux, its fields, the version's name)."""
    at = needs[4]
    for _ in range(needs[7]):
        _, count, _, first, following = NEED.unpack_from(data, at)
        aux = at + first
        for _ in range(count):
            fields = AUX.unpack_from(data, aux)
            yield aux, fields, string(data, strings[4] + fields[3])
            aux += fields[4]
        at += following


def newer(version, limit):
    name, _, number = version.partition("_")
    return name == "GLIBC" and number[0].isdigit() and [int(n) for n in number.split(".")] > limit


def rewrite(data, limit):
    """Change `data` in place. Returns the names of the symbols that changed."""
    found = sections(data)
    strings, symbols = found[".dynstr"], found[".dynsym"]
    versions = list(wanted_versions(data, found[".gnu.version_r"], strings))
    oldest = next(fields for _, fields, name in versions if name == "GLIBC_2.2.5")
    gone, changed = set(), []
    for offset, fields, name in versions:
        if newer(name, limit):
            gone.add(fields[2])
            AUX.pack_into(data, offset, oldest[0], fields[1], fields[2], oldest[3], fields[4])
    for number in range(symbols[5] // SYMBOL_BYTES):
        at = found[".gnu.version"][4] + 2 * number
        if struct.unpack_from("<H", data, at)[0] in gone:
            struct.pack_into("<H", data, at, ANY)
            name, = struct.unpack_from("<I", data, symbols[4] + number * SYMBOL_BYTES)
            changed.append(string(data, strings[4] + name))
    return changed


def main():
    path, limit = sys.argv[1], [int(n) for n in sys.argv[2].split(".")]
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        changed = rewrite(data, limit)
        file.seek(0)
        file.write(data)
    print(*sorted(changed))


if __name__ == "__main__":
    main()
