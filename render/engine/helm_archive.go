package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"

	"fuin.dev/render/wire"
)

// unpack reads the files of a packaged chart. All that it decompresses to,
// headers included, counts towards the bounds of the chart.
func (l *chartLoader) unpack(file chartFile) ([]chartFile, error) {
	plain, err := gzip.NewReader(bytes.NewReader(file.data))
	if err != nil {
		return nil, damaged(file)
	}
	bound := &io.LimitedReader{R: plain, N: int64(l.bytes) + 1}
	in := tar.NewReader(bound)
	var out []chartFile
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) && bound.N > 0 {
			l.bytes = int(bound.N) - 1
			return out, nil
		}
		if err != nil {
			return nil, l.unpackFailure(file, bound)
		}
		if header.FileInfo().IsDir() || header.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		f, err := l.member(file, header, in, bound)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
}

// member reads one file of an archive.
func (l *chartLoader) member(file chartFile, header *tar.Header, in io.Reader, bound *io.LimitedReader) (chartFile, error) {
	if err := l.spend(file.from.file, 1, 0); err != nil {
		return chartFile{}, err
	}
	name, ok := memberName(header.Name)
	if !ok || header.Typeflag != tar.TypeReg {
		return chartFile{}, blame(wire.OutsideRefused, file.from.file, 0,
			"is an archive that holds a link, or a path that leads out of its chart%s", file.from.within())
	}
	var data bytes.Buffer
	if _, err := data.ReadFrom(in); err != nil {
		return chartFile{}, l.unpackFailure(file, bound)
	}
	inner := name
	if file.from.inner != "" {
		inner = file.from.inner + ": " + name
	}
	return chartFile{name, origin{file.from.file, inner}, withoutBOM(data.Bytes())}, nil
}

// memberName takes off the directory that holds all of a package.
func memberName(full string) (name string, ok bool) {
	_, rest, ok := strings.Cut(strings.ReplaceAll(full, `\`, "/"), "/")
	name = path.Clean(rest)
	return name, ok && name != "." && name != ".." && !path.IsAbs(rest) && !strings.HasPrefix(name, "../")
}

func (l *chartLoader) unpackFailure(file chartFile, bound *io.LimitedReader) error {
	if bound.N <= 0 {
		return l.spend(file.from.file, 0, maxChartBytes+1)
	}
	return damaged(file)
}

func damaged(file chartFile) error {
	return blame(wire.Malformed, file.from.file, 0, "is a damaged archive%s", file.from.within()).
		advise("run helm dependency build, and commit what it makes")
}
