package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// contender is a controller that opens the objects of a cluster.
type contender struct {
	row     // of open-fresh
	kind    keys.Kind
	objects int // of which there are; fewer than all are scaled up
	setUp   func(ctx context.Context, b *bench, c *kubetest.Cluster) (*controller, error)
}

// contenders in the order of their turns.
func (b *bench) contenders(round int) []contender {
	all := []contender{
		{row{openFresh, string(keys.RSA), fuin}, keys.RSA, b.objects, setUpFuin},
		{row{openFresh, anyCase, peer}, keys.RSA, b.objects, setUpPeer("--kubeclient-qps=-1")},
		{row{openFresh, string(keys.Hybrid), fuin}, keys.Hybrid, b.objects, setUpFuin},
	}
	if round == 0 && b.wants(openFresh) && !b.alone { // a throttle takes the same time every time
		b.results.note("%s: the peer with its defaults opened %d objects; its figures are scaled up.", openFresh, b.sample)
		all = append(all, contender{row{openFresh, anyCase, throttled}, keys.RSA, b.sample, setUpPeer()})
	}
	return slices.DeleteFunc(all, func(c contender) bool { return b.alone && c.Side != fuin })
}

// open runs open-fresh and restart: every contender starts on a cluster of its
// own that holds the keys and the objects, and then once more.
func (b *bench) open(ctx context.Context) error {
	if !b.alone {
		if err := canMount(ctx); err != nil {
			return err
		}
	}
	sealed := map[keys.Kind][]*unstructured.Unstructured{}
	for _, kind := range []keys.Kind{keys.RSA, keys.Hybrid} {
		var err error
		if sealed[kind], err = b.keys.sealedObjects(kind, b.objects); err != nil {
			return err
		}
	}
	for round := range b.rounds {
		for _, who := range b.contenders(round) {
			b.say("%s and %s, round %d of %d: %s %s", openFresh, restart, round+1, b.rounds, who.Side, who.Case)
			if err := b.turn(ctx, who, sealed[who.kind][:who.objects]); err != nil {
				return fmt.Errorf("%s %s: %w", who.Side, who.Case, err)
			}
		}
	}
	return nil
}

// turn is one contender's on a fresh cluster.
func (b *bench) turn(ctx context.Context, who contender, objects []*unstructured.Unstructured) error {
	c, err := kubetest.Start(ctx, kubetest.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = c.Stop() }()
	ctl, err := who.setUp(ctx, b, c)
	if err != nil {
		return err
	}
	defer func() { _ = ctl.Stop() }()
	if err := createAll(ctx, c, objects); err != nil {
		return err
	}
	fresh, err := b.fresh(ctx, c, ctl, who)
	if err != nil {
		return err
	}
	if err := compareAll(ctx, c, who.objects); err != nil {
		return err
	}
	if b.wants(openFresh) {
		b.results.add(who.row, fresh.scaled(b.objects, who.objects))
	}
	if !b.wants(restart) || who.Side == throttled {
		return nil
	}
	again, err := b.again(ctx, c, ctl, who.objects)
	if err != nil {
		return err
	}
	b.results.add(row{restart, who.Case, who.Side}, again)
	return nil
}

// fresh starts the controller and waits until all Secrets are made.
func (b *bench) fresh(ctx context.Context, c *kubetest.Cluster, ctl *controller, who contender) (sample, error) {
	op, err := b.keys.operation(who.kind)
	if err != nil {
		return sample{}, err
	}
	made, err := watchSecrets(ctx, c, who.objects)
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
	if s.Reported, err = ctl.goneThrough(ctx, m.start, who.objects); err != nil {
		return s, ctl.explain(err)
	}
	if err := m.end(ctx, &s); err != nil {
		return s, err
	}
	if who.Side == fuin {
		s.Operation, s.Limit, err = b.limit(who, op, meanwhile.since(m.before))
	}
	return s, err
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

// measurement is that of one life of a controller.
type measurement struct {
	*follower
	ctl     *controller
	cluster *kubetest.Cluster
	before  servers
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
	s.CPU, s.APIServer, s.Etcd = used.cpu, servers.apiServer, servers.etcd
	s.Memory, s.Sandbox = used.peak+used.children, used.children
	s.Operations, err = m.ctl.operations(ctx)
	return err
}
