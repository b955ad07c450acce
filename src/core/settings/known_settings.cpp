// Every setting there is, with its default and what it means. The reference page and
// `mailhold settings list` are printed from here.
#include <array>

#include "core/settings/settings.h"

namespace mailhold {
namespace {

using enum SettingType;

constexpr auto all = std::to_array<KnownSetting>({
    {"mailhold.data", text, "/var/lib/mailhold", "Folder of everything that is kept; each process has its own folder in it."},
    {"mailhold.socket", text, "/run/mailhold/api.sock", "Local socket that the command line talks to."},
    {"mailhold.region", text, "local", "Name of this region: no key of one region opens anything of another."},
    {"mailhold.hostname", text, "localhost", "Name this gateway gives itself in SMTP and in the headers it adds."},
    {"mailhold.users_first", number, "62000",
     "First of the user ids the processes run under; they need no entry in /etc/passwd."},
    {"supervisor.attach", list, "",
     "Programs that systemd starts in units of their own, as in keyd, authd; all: every one. The supervisor starts the others."},
    {"supervisor.sockets", text, "/run/mailhold", "Folder of the sockets, as in keyd.sock, by which it reaches them."},
    {"keys.pkcs11_module", text, "",
     "PKCS #11 module of a hardware token that may seal the region, as in /usr/lib/softhsm/libsofthsm2.so; empty: none."},
    {"keys.pkcs11_environment", text, "",
     "One environment variable for that module, as in SOFTHSM2_CONF=/etc/mailhold/softhsm2.conf."},
    {"keys.host_state", text, "",
     "File of `mailhold host watch`; while it is missing, older than 60 s or names a finding, keyd opens no seal. Empty: not "
     "asked."},
    {"gateway.smtp", text, "0.0.0.0:25", "Address and port that take mail in."},
    {"gateway.tls_certificate", text, "",
     "PEM file with the certificate chain for STARTTLS; empty: one signed by itself, made at each start."},
    {"gateway.tls_key", text, "", "PEM file with the key of that certificate; both are read again when they change."},
    {"gateway.bare_newlines", text, "reject",
     "What happens to a message with a bare CR or LF: reject (550 5.6.11) or normalise."},
    {"gateway.size_bytes_max", number, "52428800", "Largest message that is taken, in bytes."},
    {"gateway.recipients_max", number, "200", "Recipients of one message; further ones are answered 452."},
    {"gateway.errors_max", number, "20", "Refused commands of one session before it is closed."},
    {"gateway.messages_per_session_max", number, "10000", "Messages in one session before it is closed."},
    {"gateway.connections_max", number, "4000", "Sessions at once; further ones are answered 421."},
    {"gateway.connections_per_address_max", number, "100", "Sessions at once from one address; an IPv6 /64 counts as one."},
    {"gateway.connections_per_tenant_max", number, "1000",
     "Sessions at once that send to one tenant, unless the tenant has its own limit."},
    {"gateway.content_bytes_max", number, "536870912", "Message content that all sessions together may be sending, in bytes."},
    {"gateway.hops_max", number, "50", "Received fields of a message; more are a loop and answered 554."},
    {"gateway.command_seconds", number, "300", "How long a client may take for one command."},
    {"gateway.data_seconds", number, "600", "How long a client may take for the content of one message."},
    {"gateway.session_seconds", number, "7200", "How long one session may last."},
    {"gateway.io_threads", number, "2", "Threads that serve the sessions; idle ones need none."},
    {"gateway.scan_threads", number, "32", "Messages that are scanned at once."},
    {"gateway.scan_queue_max", number, "2000", "Messages that may wait for a scan; further ones are answered 451."},
    {"scanning.seconds", number, "120", "How long the scan of one message may take, waits included."},
    {"scanning.workers_max", number, "256", "Jailed scan processes at once."},
    {"scanning.clamd_socket", text, "",
     "Local socket of clamd; empty: no virus scanner. While it is away, messages with attachments are answered 451."},
    {"links.listen", text, "127.0.0.1:8025", "Address and port that answer clicks; usually behind the company's TLS."},
    {"links.base", text, "http://127.0.0.1:8025", "What rewritten links begin with, as the outside world reaches linkd."},
    {"links.requests_per_second", number, "50", "Clicks that one address may make in the long run; four times as many at once."},
    {"links.trusted_proxies", list, "", "Addresses of the TLS terminators in front of linkd, whose X-Forwarded-For is believed."},
    {"ledger.witnesses", list, "",
     "Who cosigns the ledger's checkpoints, each as URL#KEY: https://witness.example/#witness.example/w1+0123abcd+BASE64."},
    {"ledger.witnesses_needed", number, "0", "How many of them must have cosigned for a checkpoint to count as witnessed."},
    {"ledger.witness_ca", text, "system", "Trust anchors for the witnesses' https: a PEM file, or system."},
    {"broker.allowed_networks", text, "",
     "Private networks that routes with a credential may lead to, as in 127.0.0.0/8, 10.1.0.0/16."},
    {"queue.retry_seconds_first", number, "300", "Wait before a deferred message is tried again; doubled after each attempt."},
    {"queue.retry_seconds_max", number, "14400", "The longest wait between two attempts."},
    {"queue.life_seconds", number, "432000", "How long delivery is tried before the sender is told that it failed."},
    {"queue.delay_notice_seconds", number, "14400", "After how long a sender is told that the message is late; 0: never."},
    {"queue.notices", text, "mx", "How notices to senders travel: mx (by DNS) or route (as the tenant's mail)."},
    {"queue.delivery_threads", number, "64", "Threads that deliver, for all routes together."},
    {"queue.session_messages", number, "100", "Messages over one session to a next hop."},
    {"queue.session_seconds", number, "300", "How long one session to a next hop is used."},
    {"queue.rest_seconds", number, "30", "How long a destination that takes no session is left alone."},
    {"queue.active_items_max", number, "20000", "Messages of one route in memory at once; more wait on disk."},
    {"queue.active_bytes_max", number, "268435456", "Bytes of messages in memory at once; more wait on disk."},
    {"backup.every_seconds", number, "900", "Wait between the end of a mailbox's sync and its next one."},
    {"search.tenants_max", number, "8", "Tenants whose search index is open at once, each in a process of its own."},
    {"backup.sessions_max", number, "2", "Mailboxes that are read or restored at once."},
    {"backup.watches_max", number, "128",
     "Mailboxes read continuously that are watched at once, each over a session of its own; 0: none."},
    {"backup.proof_hour", number, "2", "Hour (UTC) of the nightly proof that mailboxes come back; 24: none."},
    {"backup.proof_items", number, "20", "Items of a mailbox that the nightly proof puts back and compares."},
    {"backup.retention_seconds", number, "3600", "Wait between two looks for versions of items that are kept long enough."},
    {"backup.patience_seconds", number, "86400",
     "How long a restore goes on trying a server that wants to be left alone, with nothing coming of it, before it gives up."},
    {"backup.report_days", number, "400", "Days after which the report of a restore is deleted."},
    {"held.days", number, "30", "How long a held message waits for a decision before it is given up."},
    {"outbound.allowed_networks", text, "",
     "Private networks that routes without a credential may lead to, as in 127.0.0.0/8, 10.1.0.0/16."},
    {"outbound.ca_file", text, "system", "Trust anchors for next hops that name none: a PEM file, or system."},
    {"outbound.mx_tls_required", flag, "false", "Whether mail to MX hosts waits rather than travel without TLS."},
    {"outbound.mx_port", number, "25", "Port of MX hosts."},
    {"outbound.connect_seconds", number, "30", "How long connecting to one address may take."},
    {"dns.servers", list, "", "DNS servers as address@port; empty: those of /etc/resolv.conf."},
    {"dns.stub_zones", list, "", "Zones that servers of their own answer for, as zone=address@port."},
    {"dns.trust_anchor_file", text, "",
     "File with DNSSEC trust anchors, such as /usr/share/dns/root.key; empty: answers are not validated."},
});

}  // namespace

std::span<const KnownSetting> known_settings() { return all; }

}  // namespace mailhold
