// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"strconv"
	"strings"
)

// A property is a line of a configuration file.
type property struct {
	line       int // where it begins
	key, value string
}

// parseProperties reads what Java's Properties.load does: a key, an equals sign,
// a colon or blanks, and a value per line; comments behind # or !; a backslash
// before the end of a line to go on in the next, or before a character that means
// something.
func parseProperties(text string) []property {
	var list []property
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		first := i
		line := strings.TrimLeft(lines[i], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for goesOn(line) && i+1 < len(lines) {
			i++
			line = line[:len(line)-1] + strings.TrimLeft(lines[i], " \t\f")
		}
		key, value := splitProperty(line)
		list = append(list, property{first + 1, unescape(key), strings.TrimSpace(unescape(value))})
	}
	return list
}

// goesOn reports whether a line ends with a backslash that is not itself behind
// one.
func goesOn(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(line[end:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return line[:end], value
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			const digits = 4
			r, err := strconv.ParseUint(s[i+1:min(i+1+digits, len(s))], 16, 16)
			if err != nil || i+digits >= len(s) {
				b.WriteByte('u')
				continue
			}
			b.WriteRune(rune(r))
			i += digits
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
