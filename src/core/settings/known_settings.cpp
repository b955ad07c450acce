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
    {"mailhold.users_first", number, "62000", "First of the user ids the processes run under; they need no entry in /etc/passwd."},
    {"gateway.smtp", text, "0.0.0.0:25", "Address and port that take mail in."},
    {"links.listen", text, "127.0.0.1:8025", "Address and port that answer clicks; usually behind the company's TLS."},
    {"links.base", text, "http://127.0.0.1:8025", "What rewritten links begin with, as the outside world reaches linkd."},
    {"broker.allowed_networks", text, "", "Private networks that routes with a credential may lead to, as in 127.0.0.0/8, 10.1.0.0/16."},
    {"dns.servers", list, "", "DNS servers as address@port; empty: those of /etc/resolv.conf."},
});

}  // namespace

std::span<const KnownSetting> known_settings() { return all; }

}  // namespace mailhold
