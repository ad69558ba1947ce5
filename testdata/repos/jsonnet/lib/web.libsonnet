local k = import 'k/k.libsonnet';

{
  config:: { replicas: 1, debug: false, hosts: [] },
  local config = self.config,

  web: {
    deployment: k.deployment('web', 'registry.example.com/web:' + std.extVar('tag'), config.replicas) + {
      spec+: { template+: { spec+: { containers: [
        container { envFrom: [{ secretRef: { name: 'web-session' } }] }
        for container in super.containers
      ] } } },
    },
    service: k.service('web', 80),
  },
  settings: {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'web-settings' },
    data: { 'settings.json': std.manifestJsonEx({ debug: config.debug, ratio: 0.25 }, '  ') },
  },
  hosts: k.list([
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'host-%d' % i }, data: { host: config.hosts[i] } }
    for i in std.range(0, std.length(config.hosts) - 1)
  ]),
  debug: if config.debug then k.deployment('debug', 'busybox:1') else null,
}
