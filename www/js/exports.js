// What is taken along: for each host a complete file, the other files it needs, and the steps. Pure text, no page.

import { lean } from './config.js';

const json = (value) => JSON.stringify(value);
const pretty = (config) => `${JSON.stringify(config, null, 2)}\n`;

export const TARGETS = {
  envoy: 'Envoy',
  vector: 'Vector',
  'fluent-bit': 'Fluent Bit',
  cli: 'Command line',
};

/** The modules do without it; some things only the program can. */
const PROGRAM = 'the program “watchpost”, which “cargo build --release” in the project leaves as target/release/watchpost';
const WASMTIME = 'wasmtime (wasmtime.dev)';

/** A name as it may stand in YAML and in a shell without quotes. */
const safe = (name) => String(name || 'app').replace(/[^A-Za-z0-9_.]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 60) || 'app';

/**
 * `{file, text, files: [{name, text | bytes, about}], module, steps}`. `state` is a snapshot as bytes, or nothing: then the
 * detector begins without knowing anything.
 */
export function exported(target, { config, service, state, input = 'app.log' }) {
  const kept = lean(config);
  const about = { config: kept, isDefault: Object.keys(kept).length === 0, service: safe(service), state, input };
  return { envoy, vector, 'fluent-bit': fluentBit, cli }[target](about);
}

const configFile = (config) => ({ name: 'watchpost.json', text: pretty(config), about: 'the configuration, only what differs from the defaults' });
const stateFile = (state) => ({ name: 'watchpost.state', bytes: state, about: 'what was learned from this input' });

function base64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

const TAGS = ['kind', 'severity', 'route', 'upstream', 'of', 'result'];

function envoy({ config, service, state }) {
  const settings = { ...config, envoy: { service, ...(state && { warm_start: { snapshot: base64(state) } }) } };
  const text = `# Watchpost in Envoy, as an HTTP filter: it scores every request once it is over and reports in Envoy's log, in the access
# log and as metrics. It changes no request and no response.
#
#   envoy -c envoy.yaml --concurrency 1        (in a folder with watchpost-envoy.wasm)
#
# Put your service in the place of 127.0.0.1:8080, or take over what stands between the lines of #### into your own file.
admin:
  address:
    socket_address: { address: 127.0.0.1, port_value: 9901 }

#### watchpost: the labels of its metrics, which proxy-wasm can only write into their names
stats_config:
  stats_tags:
${TAGS.map((tag) => `    - { tag_name: ${tag}, regex: '(\\.?${tag}=\\.=(.*?);\\.;)' }`).join('\n')}
####

static_resources:
  listeners:
    - name: front
      address:
        socket_address: { address: 127.0.0.1, port_value: 10000 }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: front
                use_remote_address: true
                http_filters:
                  #### watchpost: first in the chain, so that what other filters answer is seen, too
                  - name: watchpost
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                      config:
                        name: watchpost
                        vm_config:
                          vm_id: watchpost
                          runtime: envoy.wasm.runtime.v8
                          code:
                            local: { filename: watchpost-envoy.wasm }
                        failure_policy: FAIL_RELOAD
                        configuration:
                          "@type": type.googleapis.com/google.protobuf.StringValue
                          value: |
                            ${json(settings)}
                  ####
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                access_log:
                  - name: envoy.access_loggers.file
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                      path: access.log
                      log_format:
                        json_format:
                          start_time: "%START_TIME%"
                          service: ${service}
                          method: "%REQ(:METHOD)%"
                          path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"
                          route_name: "%ROUTE_NAME%"
                          upstream_cluster: "%UPSTREAM_CLUSTER_RAW%"
                          downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
                          response_code: "%RESPONSE_CODE%"
                          response_flags: "%RESPONSE_FLAGS%"
                          duration: "%DURATION%"
                          bytes_sent: "%BYTES_SENT%"
                          watchpost: "%FILTER_STATE(wasm.watchpost:PLAIN)%"
                          watchpost_score: "%FILTER_STATE(wasm.watchpost.score:PLAIN)%"
                route_config:
                  virtual_hosts:
                    - name: ${service}
                      domains: ["*"]
                      routes:
                        - { match: { prefix: / }, route: { cluster: ${service} } }

  clusters:
    - name: ${service}
      load_assignment:
        cluster_name: ${service}
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 8080 } } }
`;
  return {
    file: 'envoy.yaml', text, files: [], module: 'download/watchpost-envoy.wasm',
    steps: [
      'Save envoy.yaml and watchpost-envoy.wasm in one folder, and put the address of your service in the place of 127.0.0.1:8080.',
      { code: 'envoy --mode validate -c envoy.yaml\nenvoy -c envoy.yaml --concurrency 1 2> envoy.log' },
      'Alarms are lines in Envoy’s log:',
      { code: 'grep \'"fingerprint"\' envoy.log' },
      `Listed by route and upstream they are by ${PROGRAM}:`,
      { code: 'watchpost report envoy.log' },
      ...(state ? ['What was learned is in the file as “warm_start”. Program and module have to be of the same release.'] : []),
      'With several workers take the mode “service”, in which one detector sees all of them.',
    ],
  };
}

function vector({ config, isDefault, state }) {
  const options = ['--listen', '"127.0.0.1:9471"', ...(isDefault ? [] : ['--config', 'watchpost.json']), '--state', 'watchpost.state', '--emit', 'log'];
  const text = `# Watchpost beside Vector: it is given a copy of every event, and what comes back are its alarms. Nothing waits for it.
#
#   vector --config vector.yaml     (in a folder with watchpost-vector.wasm; wasmtime has to be on the PATH)
sources:
  app:
    type: file
    include: [/var/log/app/*.log]

  alarms:
    type: exec
    mode: streaming
    command: [wasmtime, run, -S, inherit-network, -W, max-memory-size=268435456, --dir, ., watchpost-vector.wasm,
      ${options.join(', ')}]
    include_stderr: false
    streaming: { respawn_on_exit: true, respawn_interval_secs: 1 }
    framing: { method: newline_delimited }
    decoding: { codec: native_json }

transforms:
  urgent:
    type: filter
    inputs: [alarms]
    condition: includes(["high", "critical"], .severity) && .phase != "end"

sinks:
  to_watchpost:
    type: socket
    mode: tcp
    address: "127.0.0.1:9471"
    # The program is started at the same time, so a check would always fail.
    healthcheck: { enabled: false }
    inputs: [app]
    encoding: { codec: native_json }
    framing: { method: newline_delimited }
    # As many as come in two seconds: so long it takes until the program listens, or listens again.
    buffer: { type: memory, max_events: 10000, when_full: drop_newest }

  alerts:
    type: console
    inputs: [urgent]
    encoding: { codec: json }
`;
  return {
    file: 'vector.yaml', text, files: [...(isDefault ? [] : [configFile(config)]), ...(state ? [stateFile(state)] : [])],
    module: 'download/watchpost-vector.wasm',
    steps: [
      `Save vector.yaml, watchpost-vector.wasm${isDefault ? '' : ', watchpost.json'}${state ? ', watchpost.state' : ''} in one folder, and set “include” to your logs. The module is run by ${WASMTIME}.`,
      { code: 'vector validate --no-environment vector.yaml\nvector --config vector.yaml' },
      `Put your own sink in the place of “alerts”. Where nothing may be lost, “watchpost vector” speaks Vector’s own protocol: it is a part of ${PROGRAM}.`,
    ],
  };
}

function fluentBit({ config, isDefault, state }) {
  const embeds = !isDefault || state;
  const module = embeds ? 'watchpost-ours.wasm' : 'watchpost-fluent-bit.wasm';
  const text = `# Watchpost in Fluent Bit: every record is judged where it is collected, and goes on with its verdict in "watchpost".
#
#   fluent-bit -c fluent-bit.yaml     (in a folder with ${module})
pipeline:
  inputs:
    - name: tail
      tag: app.web
      path: /var/log/app/*.log
  filters:
    - name: wasm
      match: "app.*"
      wasm_path: ${module}
      function_name: watchpost_filter
      event_format: json
      # The default of 8 KiB is too small for any module that does something.
      wasm_stack_size: 1M
  outputs:
    - name: stdout
      match: "*"
`;
  const embed = ['watchpost embed', ...(isDefault ? [] : ['--config watchpost.json']), ...(state ? ['--state watchpost.state'] : []),
    `watchpost-fluent-bit.wasm -o ${module}`].join(' ');
  return {
    file: 'fluent-bit.yaml', text, files: [...(isDefault ? [] : [configFile(config)]), ...(state ? [stateFile(state)] : [])],
    module: 'download/watchpost-fluent-bit.wasm',
    steps: [
      ...(embeds ? [`The agent cannot tell a module anything, so what was set and learned is written into the module itself, by ${PROGRAM}:`, { code: embed }] : []),
      `Save fluent-bit.yaml beside ${module}, set “path” to your logs, and start the agent.`,
      { code: 'fluent-bit -c fluent-bit.yaml' },
    ],
  };
}

function cli({ config, isDefault, state, input }) {
  const options = [...(isDefault ? [] : ['--config watchpost.json']), ...(state ? ['--state watchpost.state'] : [])];
  const name = `'${String(input).replaceAll("'", String.raw`'\''`)}'`;
  const file = /^[\w.-]+$/.test(input) ? input : name;
  const line = (program) => [program, ...options].join(' ');
  const module = 'wasmtime run --dir . watchpost-cli.wasm';
  // The module unpacks nothing.
  const once = /\.gz$/.test(input) ? `gunzip -c ${file} | ${line(`${module} score --exit-code`)}` : `${line(`${module} score --exit-code`)} < ${file}`;
  const text = `#!/bin/sh
# Watchpost on the command line: the same verdicts as in the browser, to the byte.
set -eu

# A file, once. The exit code is 3 when an alarm was raised. Where there is the program, it prints a table; the module is
# one for every machine, needs nothing but wasmtime, and writes one JSON object for each alarm.
if command -v watchpost > /dev/null; then
  ${line('watchpost score --exit-code')} ${file}
else
  ${once}
fi

# A stream, as it grows:
#   tail -n 0 -F ${file} | ${line(`${module} score`)}
`;
  return {
    file: 'watchpost.sh', text, files: [...(isDefault ? [] : [configFile(config)]), ...(state ? [stateFile(state)] : [])],
    module: 'download/watchpost-cli.wasm',
    steps: [
      `Save watchpost.sh, watchpost-cli.wasm${isDefault ? '' : ', watchpost.json'}${state ? ', watchpost.state' : ''} beside your log and run it. It takes ${WASMTIME}, or ${PROGRAM}.`,
      { code: 'sh watchpost.sh' },
      'A stream, as it grows:',
      { code: `tail -n 0 -F ${file} | ${line(`${module} score`)}` },
      ...(state ? ['With the state it goes on where this page stopped: rows that are scored again count twice, so give it what came after.'] : []),
    ],
  };
}

/** Episodes as CSV (RFC 4180). A cell that begins like a formula is made a text: spreadsheets would run it. */
export function csv(episodes) {
  const cell = (value) => {
    const raw = value === undefined || value === null ? '' : String(value);
    const text = typeof value !== 'number' && /^[=+\-@\t\r]/.test(raw) ? `'${raw}` : raw;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const head = ['timestamp', 'phase', 'severity', 'kind', 'anomaly_type', 'subject', 'surprise', 'threshold', 'seconds', 'events',
    'of', 'observed', 'expected', 'unit', 'template', 'fingerprint'];
  const rows = episodes.map(({ told }) => {
    const [part] = told.explanation.contributions;
    const subject = Object.entries(told.subject).map(([name, value]) => `${name}=${value}`).join(' ');
    return [told.timestamp, told.phase, told.severity, told.kind, told.anomaly_type, subject, told.surprise, told.threshold,
      told.seconds, told.events, part?.of, part?.observed, part?.expected?.value, part?.unit, told.explanation.template,
      told.fingerprint];
  });
  return `${[head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}
