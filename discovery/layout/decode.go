// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// Decode reads the data of the node with that name. The error is a *[FieldError];
// its Field is "data" where the data as a whole is not a JSON object.
//
// A key that is absent or null has its default: weight 100, TLS false,
// everything else empty. A port may be written as a number or as a string of digits, as some
// programs do. Of a key that is there twice the last one counts. The instance
// shares no memory with data.
func Decode(name string, data []byte) (discovery.Instance, error) {
	in := discovery.Instance{Name: name}
	keys, err := object(data, MaxBytes, objectFix)
	if err != nil {
		return in, err
	}
	d := decoder{keys: keys}
	in.Host = d.host()
	in.Port = d.port()
	in.ID = d.text("id")
	d.value("protocols", &in.Protocols, `write a list of strings, as in ["rollcall/1"]`)
	d.value("tls", &in.TLS, "write true or false")
	in.Weight = discovery.DefaultWeight
	d.value("weight", &in.Weight, discovery.WeightFix)
	in.Zone = d.text("zone")
	in.Version = d.text("version")
	d.value("metadata", &in.Metadata, `write an object of strings, as in {"rack":"7"}`)
	if d.err == nil {
		d.err = in.Check()
	}
	if d.err != nil {
		return discovery.Instance{Name: name}, d.err
	}
	return in, nil
}

// object splits data of at most so many bytes into its keys. fix tells what is
// expected.
func object(data []byte, most int, fix string) (map[string]json.RawMessage, error) {
	switch {
	case len(data) > most:
		return nil, discovery.NewFieldError("data", strconv.Itoa(len(data))+" bytes", "write at most "+strconv.Itoa(most)+" bytes")
	case len(data) == 0:
		return nil, discovery.NewFieldError("data", "", fix)
	case !utf8.Valid(data):
		return nil, discovery.NewFieldError("data", printable(data), "write UTF-8")
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil || keys == nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			fix += "; at byte " + strconv.FormatInt(syntax.Offset, 10) + ": " + syntax.Error()
		}
		return nil, discovery.NewFieldError("data", printable(data), fix)
	}
	return keys, nil
}

// printable returns as much of the data as an error shows.
func printable(data []byte) string { return string(data[:min(len(data), 100)]) }

const objectFix = `write one JSON object, as in {"host":"127.0.0.1","port":8001}`

// A decoder reads the values of keys. It keeps the first error.
type decoder struct {
	keys map[string]json.RawMessage
	err  error
}

// text reads a string.
func (d *decoder) text(key string) (s string) {
	d.value(key, &s, "write a string")
	return s
}

// value reads a key into p, which keeps its value when the key is absent or null.
func (d *decoder) value(key string, p any, fix string) {
	raw, found := d.keys[key]
	if !found || d.err != nil {
		return
	}
	if err := json.Unmarshal(raw, p); err != nil {
		d.err = discovery.NewFieldError(key, printable(raw), fix)
	}
}

// host reads the host, which must be there.
func (d *decoder) host() string {
	host := d.text("host")
	if host == "" && d.err == nil {
		d.err = discovery.NewFieldError("host", "", "write a name or an address")
	}
	return host
}

// port reads the port, in either of its forms.
func (d *decoder) port() int {
	raw := d.keys["port"]
	if d.err != nil {
		return 0
	}
	digits := string(raw)
	if len(raw) > 0 && raw[0] == '"' {
		digits = d.text("port")
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		d.err = discovery.NewFieldError("port", printable(raw), discovery.PortFix)
	}
	return int(n)
}
