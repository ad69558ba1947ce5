package main

import (
	"context"
	"fmt"
	"time"

	"fuin.dev/controller/kubetest"
)

// turns lets every contender open its objects, in turn and round by round.
func (b *bench) turns(ctx context.Context, rounds int, contenders func(round int) []contender) error {
	if !b.alone {
		if err := canMount(ctx); err != nil {
			return err
		}
	}
	for round := range rounds {
		for _, who := range contenders(round) {
			if b.alone && who.Side != fuin {
				continue
			}
			b.say("%s, round %d of %d: %s %s", who.Benchmark, round+1, rounds, who.Side, who.Case)
			if err := b.turn(ctx, who); err != nil {
				return fmt.Errorf("%s %s: %w", who.Side, who.Case, err)
			}
		}
	}
	return nil
}

// turn is one contender's on a fresh cluster.
func (b *bench) turn(ctx context.Context, who contender) error {
	c, err := kubetest.Start(ctx, kubetest.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = c.Stop() }()
	ctl, err := who.setUp(ctx, b, c, who.ring)
	if err != nil {
		return err
	}
	defer func() { _ = ctl.Stop() }()
	if err := createAll(ctx, c, who.objects); err != nil {
		return err
	}
	fresh, err := b.fresh(ctx, c, ctl, who)
	if err != nil {
		return err
	}
	if err := compareAll(ctx, c, len(who.objects)); err != nil {
		return err
	}
	if b.wants(who.Benchmark) {
		b.results.add(who.row, fresh.scaled(who.scaleTo, len(who.objects)))
	}
	if who.again == (row{}) {
		return nil
	}
	again, err := b.again(ctx, c, ctl, len(who.objects))
	if err != nil {
		return err
	}
	b.results.add(who.again, again)
	return nil
}

// fresh starts the controller and waits until all Secrets are made.
func (b *bench) fresh(ctx context.Context, c *kubetest.Cluster, ctl *controller, who contender) (sample, error) {
	op, err := operation(who.once)
	if err != nil {
		return sample{}, err
	}
	made, err := watchSecrets(ctx, c, len(who.objects))
	if err != nil {
		return sample{}, err
	}
	defer made.stop()
	m, err := ctl.begin(ctx, c)
	if err != nil {
		return sample{}, err
	}
	s := sample{Load: loadAverage()}
	if s.Wall, err = made.wait(ctx, m.start); err != nil {
		return s, ctl.explain(err)
	}
	meanwhile, err := serversOf(c)
	if err != nil {
		return s, err
	}
	if s.Reported, err = ctl.goneThrough(ctx, m.start, len(who.objects)); err != nil {
		return s, ctl.explain(err)
	}
	if err := m.end(ctx, &s); err != nil {
		return s, err
	}
	return s, s.limit(who, op, meanwhile.since(m.before))
}

// again stops the controller and starts it: nothing has changed.
func (b *bench) again(ctx context.Context, c *kubetest.Cluster, ctl *controller, objects int) (sample, error) {
	if err := ctl.end(ctx); err != nil {
		return sample{}, err
	}
	m, err := ctl.begin(ctx, c)
	if err != nil {
		return sample{}, err
	}
	s := sample{Load: loadAverage()}
	if s.Wall, err = ctl.goneThrough(ctx, m.start, objects); err != nil {
		return s, ctl.explain(err)
	}
	s.Reported = s.Wall
	return s, m.end(ctx, &s)
}

// measurement is that of one life of a controller, or of a part of it.
type measurement struct {
	*follower
	ctl     *controller
	cluster *kubetest.Cluster
	before  servers
	used    time.Duration // CPU that the controller had used before
	start   time.Time
}

// begin starts the controller once the servers have nothing else to do.
func (ctl *controller) begin(ctx context.Context, c *kubetest.Cluster) (*measurement, error) {
	if err := untilRest(ctx, c.APIServer.PID(), c.Etcd.PID(), c.ControllerManager.PID()); err != nil {
		return nil, err
	}
	before, err := serversOf(c)
	if err != nil {
		return nil, err
	}
	m := &measurement{ctl: ctl, cluster: c, before: before, start: time.Now()}
	if err := ctl.Start(ctx); err != nil {
		return nil, err
	}
	m.follower = follow(ctx, ctl)
	return m, nil
}

// end waits for what is still written in the background, such as events, and
// adds what was used.
func (m *measurement) end(ctx context.Context, s *sample) error {
	err := untilRest(ctx, m.pid)
	used := m.follower.end()
	if err != nil {
		return err
	}
	after, err := serversOf(m.cluster)
	if err != nil {
		return err
	}
	servers := after.since(m.before)
	s.CPU, s.APIServer, s.Etcd = used.cpu-m.used, servers.apiServer, servers.etcd
	s.Memory, s.Sandbox, s.Resting = used.peak+used.children, used.children, used.resting
	s.Operations, err = m.ctl.operations(ctx)
	return err
}
