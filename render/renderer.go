package render

import (
	"context"

	"fuin.dev/seal"
)

// Render is [Pool.Templates] as a [seal.Renderer].
func (p *Pool) Render(ctx context.Context, templates map[string]string, inputs map[string][]byte) (map[string]seal.Rendered, error) {
	result, err := p.Templates(ctx, templates, inputs)
	if err != nil {
		return nil, err
	}
	out := make(map[string]seal.Rendered, len(result))
	for _, r := range result {
		out[r.Key] = seal.Rendered{Value: r.Value, Random: r.Random}
	}
	return out, nil
}
