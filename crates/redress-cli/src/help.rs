//! What `--help` says below the options: examples, formats, exit codes.

pub(crate) const PROGRAM: &str = "\
Examples:
  What does this response mean?
    curl -si https://api.example.com/v1/things/7 | redress explain

  The same with a vendor's own words, for a program:
    redress explain --dialect vlens --json response.txt

  A log of responses, one JSON record per line:
    redress explain --jsonl responses.jsonl | jq -r .class | sort | uniq -c

  Is a dialect file right?
    redress lint acme.toml

Exit codes:
  0  done; for explain, whatever the response is
  1  lint found mistakes
  2  bad usage, or something that cannot be read or written

Colours are for terminals only; NO_COLOR turns them off there too.";

pub(crate) const EXPLAIN: &str = "\
Examples:
  curl -si https://api.example.com/v1/things/7 | redress explain
  redress explain --dialect veridia response.txt
  redress explain --dialect ./acme.toml --json response.txt
  curl -v https://api.example.com/v1/things/7 2>&1 | redress explain
  redress explain --status 429 body.json
  redress explain --errors session.har
  redress explain --jsonl --dialect veridia < responses.jsonl > meanings.jsonl

The form of the input is detected:
  raw responses      a status line, headers, an empty line and the body, as curl -i, curl -v, wget -S and HTTPie print
                     them, with either kind of line end. Of the heads of one call (100 Continue, redirects, a proxy's
                     answer, a challenge) the last one counts; each other response has an answer of its own
  copied headers     `name: value` or name and value in two lines, with `:status: 429` or `Status Code: 429` among them;
                     a body may follow an empty line
  a body alone       with --status; without it only a JSON body that states its status
  JSON documents     a HAR file, a cassette of VCR as JSON, a Postman collection, an array of records, records line by
                     line, one record
  texts of errors    as axios, got, fetch, Guzzle, requests, httpx, reqwest and Go print them: the status, and the JSON or
                     the printed response object in them
A body in gzip or deflate is unpacked, up to 1 MiB; one in br or zstd gets a note. UTF-16 with a byte order mark is read.
Request headers, cookies and queries are never printed, and masked where the server quotes them. An input that is not read
by --jsonl has at most 256 MiB.

A record of --jsonl:
  {\"id\":7,\"dialect\":\"veridia\",\"method\":\"POST\",\"path\":\"/v1/verify/init\",\"status\":429,
   \"headers\":{\"Retry-After\":\"30\"},\"body\":\"{\\\"error\\\":\\\"rate_limited\\\"}\"}
  Only status is required, a number from 100 to 999, also as text. id is any JSON value and comes back as it is; an entry
  of a HAR file or an array has its index. dialect names a shipped dialect, or the one of --dialect, which is the default.
  method is GET and path is / unless they are given. Headers are an object or a list of pairs, a value is a text, a number
  or a list of them, a name in any case. The body is text or JSON in body, or base64 in body_base64. The names that other
  tools use are read too: docs/explain.md lists them. null is the same as nothing, other members are ignored, blank lines
  are skipped.

The answer of --json and --jsonl:
  id              the record's id; null without one
  is_error        whether the response is an error
  class           what it is: rate_limited, invalid, ...; null for a success
  recovery        what to do: retry, fix_request, ...; null for a success
  retry           whether a GET would be sent again as it is
  code, message, request_id, reason
                  the server's words, verbatim; null where it said nothing
  retry_after_ms  how long to wait from the response on, rounded up; 9007199254740991, the largest whole number that
                  every JSON reader can take, stands for that long and for anything longer
  retry_at        when to come back, RFC 3339, where the server named an instant by its clock; retry_after_ms is then
                  the difference to the response's Date, else to --now
                  Both are null where the time has passed or lies more than 366 days ahead.
  fields          the fields at fault: [{\"path\", \"message\"}]
  dialect         the dialect that read the response
  stop            only where `retry` is true and redress, by default, would not send the call again: hint_too_long, a wait
                  of more than 120 s; not_idempotent, a call that may have been processed and has no idempotency key
  notes           only where there is one: a body that is packed or cut off, a status that the body states

  A record that cannot be used gets {\"id\", \"error\"} instead, and the others go on; a line on standard error counts
  them. The exit code stays 0, but without --jsonl it is 2 where nothing of the input can be used.

Exit codes:
  0  the input was read, whatever the responses are
  2  bad usage, an unknown dialect or one with mistakes, or an input that cannot be read";

pub(crate) const LINT: &str = "\
Examples:
  redress lint acme.toml
  redress lint dialects/*.toml

Each mistake is a line `FILE:LINE: KEY: PROBLEM`. A rule that can never hold is one (`never holds: ...`): its conditions
exclude each other, one before it holds whenever it would, it names a code or a reason where none is read. A line that
changes nothing is a warning (`changes nothing: ...`). Both say what to write instead.

A file may extend another one in its folder or below it: extends = \"./base.toml\". Its mistakes are listed, too.

Exit codes:
  0  no mistakes; there may be warnings
  1  mistakes were found
  2  bad usage, or a file that cannot be read";

pub(crate) const DIALECTS: &str = "\
Examples:
  redress dialects
  redress dialects veridia
  redress dialects ./acme.toml";

pub(crate) const SANDBOX: &str = "\
Examples:
  Serve ranex on a free port:
    redress sandbox ranex

  Serve veridia on a port of your choice, and write down every request:
    redress sandbox veridia --listen 127.0.0.1:8080 --log requests.jsonl

  Serve a dialect of your own, with scripted answers:
    redress sandbox --dialect ./acme.toml --script answers.toml

    with this answers.toml:
      [[fault]]
      route = \"POST /v1/orders\"
      times = 2
      code = \"E_BUSY\"
      retry_after = \"1\"

      [[fault]]
      route = \"POST /v1/orders\"
      status = 201
      body = '{\"id\":\"o1\"}'

  Answer the first two logins with 503 and a wait of three seconds:
    redress sandbox vlens --script faults.toml

    with this faults.toml:
      [[fault]]
      route = \"POST /api/credentials/Login\"
      times = 2
      status = 503
      retry_after = \"3\"

It prints its address and the credentials it accepts, and serves until Ctrl-C. A request takes the oldest [[fault]] left
that its route matches.

The keys of a [[fault]], of which only route is required:
  route         \"POST /v1/orders/{id}\": a method and a path without a query; \"*\" for every request
  times         how many requests use it up, 1 unless given
  status        200 to 599; with a code it is the documented one unless given
  code, message the words of an error, put where the vendor, or the dialect, has them
  body          the exact body instead, for a success too
  content_type, retry_after, headers = { name = \"value\" }
                retry_after = \"date:+2\" is the HTTP date two seconds after the answer is sent
  delay_ms      the wait before the answer
  kind          answer, drop (the answer is lost), drop_before (so is the request), truncate, proxy_html, slow_body

A dialect has no routes of its own: what no script answers gets 200 and {}. It takes any credentials. When it starts, what
the dialect makes of each scripted answer is printed; a code that it would not read is a mistake of the script.

Exit codes:
  0  stopped by Ctrl-C
  2  bad usage, a script with a mistake, or an address or a log that cannot be used";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  redress completions bash > ~/.local/share/bash-completion/completions/redress
  redress completions zsh > ~/.zfunc/_redress
  redress completions fish > ~/.config/fish/completions/redress.fish";

pub(crate) const LAB: &str = "\
Examples:
  redress lab list
  redress lab run black-hole
  redress lab run --all --seeds 5
  redress lab check";

pub(crate) const LAB_RUN: &str = "\
Examples:
  redress lab run black-hole --seeds 5
  redress lab run black-hole --utilization 0.8 --only none,redress
  redress lab list black-hole > mine.toml; redress lab run mine.toml
  redress lab run --all --policy patient.toml --json
  redress lab run --all --seeds 5 --undominated redress --report out.html
  redress lab run black-hole --only none,tower,redress --svg goodput.svg --chart goodput

A policy file has redress's settings; what it leaves out is as redress does by default:
  name = \"patient\"
  attempts = 5
  jitter = \"equal\"                                 # full, equal, decorrelated, none
  transient = { base = \"100ms\", factor = 2, cap = \"10s\" }
  throttled = { base = \"2s\", cap = \"30s\" }
  max_retry_after = \"60s\"
  budget = 100                                       # tokens; false for none
  limits = false                                     # do not keep the published limits

The columns:
  served        calls that got what they asked for before their deadline: goodput
  refused       calls that ended with a response that is an error
  lost          calls that ended without a response
  load          requests that arrived at the server; per call, and in the second with the most
  p50, p99      how long the served calls took, from the moment when they should have begun
  recovery      seconds from the end of the trouble until calls were served as before it
  early         requests that came before the server had asked that call to come again
  twice         calls that may not be sent twice, and were done twice by the server
  dominated by  policies that are better or equal in goodput, load, p99 and recovery, and by more than 2 % in one

Exit codes:
  0  done
  1  a policy that retries, it says, never did where others did; calls that never ended; or a policy that
     --undominated names is dominated
  2  bad usage, or a file that cannot be used";

pub(crate) const LAB_CHECK: &str = "\
Examples:
  redress lab check
  redress lab check --seed 7 --json
  redress lab check aws-occ-calls herd
  redress lab check --set f=.2 --set retries=5
  redress lab check --list

What is expected is what was published, or computed from the published model, within the tolerance that is shown; at
another point it is computed from the closed form. Where a source is wrong the check says so.

Exit codes:
  0  everything holds
  1  something does not
  2  bad usage, or something that cannot be set";
