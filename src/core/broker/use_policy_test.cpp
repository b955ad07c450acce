// T16: nobody gets another's secret used by asking in the wrong words. A million random questions are decided by the policy and
// by a model of it that was written from docs/flows/use-of-a-secret.md alone.
#include "core/broker/use_policy.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <set>

#include "formats/imap/imap_purpose.h"

namespace mailhold::broker {
namespace {

constexpr int cases = 1'000'000;
const std::vector<std::string> roles = {"workerd", "gatewayd-out", "gatewayd-in", "apid", "authd", "scannerd", "linkd", ""};
const std::vector<std::string> purposes = {"backup.read",  "restore.write", "journal", "directory.read",
                                           "backup.prove", "backup",        ""};
const std::vector<std::string> programs = {"program a", "program b", "program c", ""};
const std::vector<std::string> folders = {"INBOX", "inbox", "Archive/2026", "Archive", "Archives/x", "Sent", ""};
const std::vector<std::string> scopes = {"*", "INBOX", "Archive/*", "Sent"};

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : source_(seed) {}
  std::size_t below(std::size_t count) { return source_() % count; }
  bool one_in(std::size_t count) { return below(count) == 0; }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[below(list.size())];
  }
  std::vector<std::string> some_of(const std::vector<std::string>& list) {
    std::vector<std::string> some;
    for (const std::string& each : list) {
      if (one_in(2)) some.push_back(each);
    }
    return some;
  }

 private:
  std::mt19937 source_;
};

Id id_of(char kind, std::size_t number) { return Id::from_bytes(std::string(14, kind) + std::to_string(10 + number)); }

// One question, with all that its answer hangs from.
struct Case {
  std::string role, program, folder;
  Method method{};
  Id tenant;
  access::Route route;
  bool route_known = true;
  access::Connection connection;
  OpenConnection asked;
  std::optional<access::Operation> permit;
  Usage in_hour, in_day;
};

Usage some_usage(Dice& dice) { return {dice.below(4), dice.below(4), dice.below(4), 0}; }

Case random_case(Dice& dice) {
  Case one;
  one.role = dice.one_in(4) ? dice.of(roles) : roles[dice.below(2)];
  one.method = static_cast<Method>(dice.below(10));
  one.tenant = id_of('t', dice.below(3));
  one.program = dice.of(programs);
  one.folder = dice.of(folders);
  one.route.tenant = dice.one_in(2) ? one.tenant : id_of('t', dice.below(3));
  one.route.paused = dice.one_in(4);
  one.route.kind = static_cast<access::RouteKind>(1 + dice.below(3));
  one.route.tls = static_cast<access::RouteTls>(1 + dice.below(3));
  one.route_known = !dice.one_in(8);
  one.connection.id = id_of('c', dice.below(2));
  one.connection.tenant = id_of('t', dice.below(3));
  one.connection.kind = static_cast<access::ConnectionKind>(1 + dice.below(4));
  one.connection.purposes = dice.some_of({purposes.begin(), purposes.begin() + 5});
  one.connection.mailboxes = dice.some_of(scopes);
  one.connection.suspended = dice.one_in(4);
  if (dice.one_in(2)) one.connection.workers = dice.some_of({programs.begin(), programs.begin() + 2});
  access::Caps& caps = one.connection.caps;
  for (auto* cap :
       {&caps.sessions_hour, &caps.sessions_day, &caps.items_hour, &caps.items_day, &caps.bytes_hour, &caps.bytes_day})
    *cap = dice.one_in(4) ? 1 + dice.below(4) : 0;
  one.asked = {id_of('c', 0),
               dice.one_in(3) ? static_cast<access::ConnectionKind>(dice.below(6)) : one.connection.kind,
               dice.of(purposes),
               {},
               dice.one_in(3) ? Id() : id_of('t', dice.below(3))};
  if (dice.one_in(3)) {
    const Id named = dice.one_in(4) ? id_of('c', dice.below(2)) : one.connection.id;
    one.permit = {dice.one_in(8) ? "export.allow" : "restore.allow",
                  dice.one_in(4) ? id_of('t', dice.below(3)) : one.connection.tenant,
                  {{"connection", dice.one_in(8) ? "" : named.text()}},
                  {},
                  0,
                  {}};
    if (dice.one_in(2)) one.permit->arguments["into"] = id_of('m', 0).text();
    if (!dice.one_in(4)) one.asked.purpose = "restore.write";
    if (!dice.one_in(4)) one.connection.purposes.emplace_back("restore.write");
  }
  one.in_hour = some_usage(dice);
  one.in_day = some_usage(dice);
  return one;
}

// The reference model.
bool model_of_route(const Case& c) {
  const bool submits = c.route.kind == access::RouteKind::smtp_auth && c.route.tls == access::RouteTls::required;
  return c.role == "gatewayd-out" && c.route_known && c.route.tenant == c.tenant && submits && !c.route.paused;
}
bool model_of_connection(const Case& c) {
  const auto& [s, i, b, m] = c.in_hour;
  const auto& [day_s, day_i, day_b, day_m] = c.in_day;
  const access::Caps& cap = c.connection.caps;
  const std::multimap<std::uint64_t, std::uint64_t> used = {{cap.sessions_hour, s}, {cap.items_hour, i},
                                                            {cap.bytes_hour, b},    {cap.sessions_day, day_s},
                                                            {cap.items_day, day_i}, {cap.bytes_day, day_b}};
  for (const auto& [most, so_far] : used) {
    if (most > 0 && so_far >= most) return false;
  }
  const std::set<std::string> may(c.connection.purposes.begin(), c.connection.purposes.end());
  const std::set<std::string> who(c.connection.workers.begin(), c.connection.workers.end());
  if (c.permit) {
    const bool is_signed_for =
        c.permit->type == "restore.allow" && c.permit->arguments.at("connection") == c.connection.id.text();
    if (!is_signed_for || c.permit->tenant != c.connection.tenant || c.asked.purpose != "restore.write") return false;
  }
  const bool opens_suspended = c.permit && c.permit->arguments.contains("into");
  return c.role == "workerd" && c.asked.kind == c.connection.kind && (opens_suspended || !c.connection.suspended) &&
         (c.permit || c.asked.purpose != "restore.write") && may.contains(c.asked.purpose) &&
         (who.empty() || who.contains(c.program)) && (c.asked.tenant.is_none() || c.asked.tenant == c.connection.tenant);
}
bool model_of_folder(const Case& c) {
  for (const std::string& scope : c.connection.mailboxes) {
    if (scope == "*" || (scope == "INBOX" && (c.folder == "INBOX" || c.folder == "inbox"))) return true;
    if (scope == "Archive/*" ? c.folder == "Archive/2026" : c.folder == scope) return true;
  }
  return false;
}
// What workerd asks for besides sessions.
bool is_about_work(Method method) {
  return method == Method::keeping || method == Method::report || method == Method::begin_export ||
         method == Method::record_export || method == Method::begin_restore || method == Method::record_restore;
}

bool model(const Case& c) {
  if (c.method == Method::routes) return c.role == "gatewayd-out";
  if (c.method == Method::open_session) return model_of_route(c);
  if (is_about_work(c.method)) return c.role == "workerd";
  return c.method == Method::open_connection && model_of_connection(c) && model_of_folder(c);
}

bool policy(const Case& c) {
  if (!may_call(c.role, c.method)) return false;
  if (c.method == Method::routes || is_about_work(c.method)) return true;
  if (c.method == Method::open_session) return static_cast<bool>(check_route_use(c.route_known ? &c.route : nullptr, c.tenant));
  return check_connection_use(c.connection, c.asked, c.program, c.permit ? &*c.permit : nullptr) &&
         check_caps(c.connection.caps, c.in_hour, c.in_day) && imap::is_in_scope(c.connection.mailboxes, c.folder);
}

TEST(UsePolicy, T16_a_million_questions_are_answered_as_the_reference_model_says) {
  Dice dice(20'261'122);
  std::map<Method, int> allowed;
  int by_permit = 0;
  for (int number = 0; number < cases; ++number) {
    const Case one = random_case(dice);
    const bool expected = model(one);
    ASSERT_EQ(policy(one), expected) << "case " << number << ": " << one.role << ", method " << static_cast<int>(one.method)
                                     << ", purpose " << one.asked.purpose;
    if (expected) ++allowed[one.method];
    by_permit += expected && one.method == Method::open_connection && one.permit && one.connection.suspended ? 1 : 0;
  }
  for (const Method method : {Method::open_session, Method::routes, Method::open_connection})
    EXPECT_GT(allowed[method], 1000) << "the cases do not reach what is allowed";
  EXPECT_GT(by_permit, 10);
  std::printf("policy: %d questions; allowed: %d sessions of routes, %d of connections\n", cases, allowed[Method::open_session],
              allowed[Method::open_connection]);
}

TEST(UsePolicy, its_own_place_is_the_account_that_a_mailbox_is_read_from) {
  access::Connection reading, writing;
  reading.id = id_of('c', 0), writing.id = id_of('c', 1);
  reading.tenant = writing.tenant = id_of('t', 0);
  reading.host = writing.host = "imap.example.test";
  reading.user = writing.user = "ann";
  reading.purposes = {"backup.read"}, writing.purposes = {"restore.write"};
  reading.port = writing.port = 993;
  reading.mailboxes = {"*"}, writing.mailboxes = {"INBOX"};
  EXPECT_TRUE(is_own_place(reading, writing));
  const std::pair<const char*, std::function<void(access::Connection&)>> each_other[] = {
      {"tenant", [](auto& c) { c.tenant = id_of('t', 1); }},
      {"kind", [](auto& c) { c.kind = access::ConnectionKind::http; }},
      {"host", [](auto& c) { c.host = "imap.elsewhere.test"; }},
      {"port", [](auto& c) { c.port = 1993; }},
      {"name", [](auto& c) { c.name = "elsewhere.test"; }},
      {"authority", [](auto& c) { c.ca = "system"; }},
      {"pins", [](auto& c) { c.pins = {std::string(64, 'a')}; }},
      {"folders", [](auto& c) { c.mailboxes = {"Users/ann/*"}; }},
      {"account", [](auto& c) { c.user = "bob"; }},
      {"reads nothing", [](auto& c) { c.purposes = {"journal"}; }}};
  for (const auto& [what, change] : each_other) {
    access::Connection other = reading;
    change(other);
    EXPECT_FALSE(is_own_place(other, writing)) << what;
  }
  // Where many have one account, or none, the connections themselves must say whose it is.
  reading.user = writing.user = "";
  EXPECT_FALSE(is_own_place(reading, writing));
  reading.user = writing.user = "client-1";
  reading.kind = writing.kind = access::ConnectionKind::http;
  reading.mailboxes = {"ann@example.test"};
  EXPECT_FALSE(is_own_place(reading, writing)) << "it reaches more than is read";
  writing.mailboxes = {"bob@example.test"};
  EXPECT_FALSE(is_own_place(reading, writing));
  writing.mailboxes = reading.mailboxes;
  EXPECT_TRUE(is_own_place(reading, writing));
  reading.user = "somebody else", writing.id = reading.id;
  EXPECT_TRUE(is_own_place(reading, writing)) << "one connection for both";
}

TEST(UsePolicy, a_dry_run_only_reads) {
  const OpenConnection asked{id_of('c', 0), access::ConnectionKind::imap, "restore.write", {}};
  access::Operation permit{"restore.allow", id_of('t', 0), {}, {}, 0, {}};
  EXPECT_EQ(purpose_of_session(asked, nullptr), "restore.write");
  EXPECT_EQ(purpose_of_session(asked, &permit), "restore.write");
  permit.arguments["dry_run"] = "true";
  EXPECT_EQ(purpose_of_session(asked, &permit), "backup.read");
}

TEST(UsePolicy, only_what_was_signed_for_as_an_overwrite_writes_over) {
  const auto asked = [](access::ConnectionKind kind) { return OpenConnection{id_of('c', 0), kind, "restore.write", {}}; };
  access::Operation permit{"restore.allow", id_of('t', 0), {}, {}, 0, {}};
  EXPECT_EQ(purpose_of_session(asked(access::ConnectionKind::http), &permit), "restore.write");
  permit.arguments["overwrite"] = "true";
  EXPECT_EQ(purpose_of_session(asked(access::ConnectionKind::http), &permit), "restore.overwrite");
  EXPECT_EQ(purpose_of_session(asked(access::ConnectionKind::imap), &permit), "restore.write");
  permit.arguments["dry_run"] = "true";
  EXPECT_EQ(purpose_of_session(asked(access::ConnectionKind::http), &permit), "backup.read");
  // Nobody can ask for it: no connection has that purpose.
  for (const std::string_view known : access::known_purposes) EXPECT_NE(known, overwrite_purpose);
}

TEST(UsePolicy, its_own_place_is_no_path_that_nobody_reads) {
  access::Connection reading;
  reading.id = id_of('c', 0);
  reading.tenant = id_of('t', 0);
  reading.kind = access::ConnectionKind::http;
  reading.user = "service";
  reading.purposes = {"backup.read", "restore.write"};
  reading.mailboxes = {"*"};
  access::Connection writing = reading;
  writing.id = id_of('c', 1);
  reading.verbs = {"GET /dav/ann/**"}, writing.verbs = {"GET /**", "PUT /dav/bob/**"};
  EXPECT_FALSE(is_own_place(reading, writing));
  writing.verbs = {"GET /**", "PUT /dav/ann/work/**"};
  EXPECT_TRUE(is_own_place(reading, writing));
  reading.verbs.emplace_back("PUT /dav/bob/**");
  EXPECT_FALSE(is_own_place(reading, reading)) << "one connection for both";
}

}  // namespace
}  // namespace mailhold::broker
