package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
)

// Errors of [Encode], [Read] and [Write], which say nothing of the content.
var (
	ErrTooLarge  = errors.New("the message is larger than a frame may be")
	ErrMalformed = errors.New("the message is malformed")
)

const header = 4 // the payload's length, big-endian

// Encode makes v one frame: the length of its JSON as a big-endian uint32,
// then the JSON. It returns [ErrTooLarge] when the JSON exceeds [MaxFrame].
func Encode(v any) ([]byte, error) {
	var frame bytes.Buffer
	frame.Write(make([]byte, header))
	if err := json.NewEncoder(&frame).Encode(v); err != nil {
		return nil, ErrMalformed
	}
	size := frame.Len() - header
	if size > MaxFrame {
		return nil, ErrTooLarge
	}
	binary.BigEndian.PutUint32(frame.Bytes(), uint32(size))
	return frame.Bytes(), nil
}

// Write writes v as [Encode] makes it, in a single call of w.Write.
func Write(w io.Writer, v any) error {
	frame, err := Encode(v)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}

// Read reads one frame into v. It returns [io.EOF] when there is no further
// frame, [io.ErrUnexpectedEOF] when the frame is cut short, [ErrTooLarge]
// when it announces more than [MaxFrame], and [ErrMalformed] when it is not
// the JSON of v. Memory grows with what arrives, not with what is announced.
func Read(r io.Reader, v any) error {
	var size [header]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(size[:]))
	if n > MaxFrame {
		return ErrTooLarge
	}
	var payload bytes.Buffer
	if _, err := io.CopyN(&payload, r, n); err != nil {
		return cutShort(err)
	}
	if json.Unmarshal(payload.Bytes(), v) != nil {
		return ErrMalformed // the decoder's own error can quote the message
	}
	return nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
