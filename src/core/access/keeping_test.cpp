#include "core/access/keeping.h"

#include <gtest/gtest.h>

namespace mailhold::access {
namespace {

const Id tenant = Id::from_bytes("tenant--tenant--");
const Id ann = Id::from_bytes("ann-----ann-----"), bea = Id::from_bytes("bea-----bea-----");
constexpr std::uint8_t mail = 1, contact = 3;

Operation operation(std::string type, std::map<std::string, std::string> arguments) {
  return {std::move(type), tenant, std::move(arguments), {}, 1000, Id::random()};
}
Keeping after(const Keeping& before, const std::string& type, std::map<std::string, std::string> arguments) {
  auto changed = changed_by(operation(type, std::move(arguments)), before);
  EXPECT_TRUE(changed) << changed.error().detail;
  return changed ? *changed : before;
}
ErrorKind refusal(const Keeping& before, const std::string& type, std::map<std::string, std::string> arguments) {
  const auto changed = changed_by(operation(type, std::move(arguments)), before);
  return changed ? ErrorKind::bug : changed.error().kind;
}
std::map<std::string, std::string> hold_of(const std::string& name, std::map<std::string, std::string> more = {}) {
  more.merge(std::map<std::string, std::string>{{"hold", Id::random().text()}, {"name", name}, {"reason", "a court"}});
  return more;
}

TEST(Keeping, the_narrowest_rule_counts) {
  Keeping keeping;
  EXPECT_EQ(days_kept(keeping, ann, mail), 0U) << "for ever";
  keeping = after(keeping, "retention.set", {{"days", "100"}});
  keeping = after(keeping, "retention.set", {{"days", "200"}, {"type", "contact"}});
  EXPECT_EQ(days_kept(keeping, ann, mail), 100U);
  EXPECT_EQ(days_kept(keeping, ann, contact), 200U);
  keeping = after(keeping, "retention.set", {{"days", "300"}, {"mailbox", ann.text()}});
  EXPECT_EQ(days_kept(keeping, ann, contact), 300U);
  EXPECT_EQ(days_kept(keeping, bea, contact), 200U);
  keeping = after(keeping, "retention.set", {{"days", "forever"}, {"mailbox", ann.text()}, {"type", "mail"}});
  EXPECT_EQ(days_kept(keeping, ann, mail), 0U);
  keeping = after(keeping, "retention.set", {{"days", "default"}, {"mailbox", ann.text()}, {"type", "mail"}});
  EXPECT_EQ(days_kept(keeping, ann, mail), 300U);
  EXPECT_EQ(keeping.rules.size(), 3U);
}

TEST(Keeping, what_keeps_less_is_seen_wherever_it_hides) {
  Keeping keeping;
  const auto takes_two = [&](std::map<std::string, std::string> arguments) {
    const Keeping changed = after(keeping, "retention.set", std::move(arguments));
    const bool less = keeps_less(keeping, changed);
    keeping = changed;
    return less;
  };
  EXPECT_TRUE(takes_two({{"days", "36135"}})) << "99 years are less than for ever";
  EXPECT_FALSE(takes_two({{"days", "forever"}, {"type", "note"}}));
  EXPECT_TRUE(takes_two({{"days", "36134"}, {"type", "mail"}}));
  EXPECT_FALSE(takes_two({{"days", "36135"}, {"type", "mail"}}));
  EXPECT_TRUE(takes_two({{"days", "36135"}, {"mailbox", ann.text()}})) << "notes of ann were for ever";
  EXPECT_TRUE(takes_two({{"days", "10"}, {"mailbox", ann.text()}}));
  EXPECT_FALSE(takes_two({{"days", "default"}, {"mailbox", ann.text()}}));
  EXPECT_TRUE(takes_two({{"days", "default"}, {"type", "note"}}));
  EXPECT_FALSE(takes_two({{"days", "default"}}));

  const Keeping held = after(keeping, "hold.add", hold_of("Case 7"));
  EXPECT_FALSE(keeps_less(keeping, held));
  EXPECT_TRUE(keeps_less(held, after(held, "hold.remove", {{"hold", held.holds[0].id.text()}})));
  Keeping narrowed = held;
  narrowed.holds[0].mailboxes = {ann};
  EXPECT_TRUE(keeps_less(held, narrowed));
  const Keeping ordered = after(keeping, "mailbox.remove", {{"mailbox", ann.text()}});
  EXPECT_TRUE(keeps_less(keeping, ordered));
  EXPECT_FALSE(keeps_less(ordered, keeping));
}

TEST(Keeping, a_hold_covers_what_fits_all_that_it_says) {
  const Id item = Id::random();
  const KeptItem mail_of_ann{ann, item, mail, *parse_iso8601("2026-03-01")};
  const auto covered = [&](std::map<std::string, std::string> scope, const KeptItem& what) {
    return covers(after({}, "hold.add", hold_of("h", std::move(scope))).holds[0], what);
  };
  EXPECT_TRUE(covered({}, mail_of_ann));
  EXPECT_TRUE(covered({{"mailboxes", bea.text() + "\n" + ann.text() + "\n"}}, mail_of_ann));
  EXPECT_FALSE(covered({{"mailboxes", bea.text()}}, mail_of_ann));
  EXPECT_TRUE(covered({{"types", "mail\ncontact\n"}}, mail_of_ann));
  EXPECT_FALSE(covered({{"types", "contact"}}, mail_of_ann));
  EXPECT_TRUE(covered({{"from", "2026-03-01"}, {"to", "2026-03-02"}}, mail_of_ann));
  EXPECT_FALSE(covered({{"to", "2026-03-01"}}, mail_of_ann)) << "before, not at";
  EXPECT_FALSE(covered({{"from", "2026-03-01T00:00:01Z"}}, mail_of_ann));
  EXPECT_TRUE(covered({{"mailboxes", ann.text()}, {"items", item.text()}}, mail_of_ann));
  EXPECT_FALSE(covered({{"mailboxes", ann.text()}, {"items", Id::random().text()}}, mail_of_ann));
}

TEST(Keeping, a_hold_stops_the_removal_of_a_mailbox_it_may_reach) {
  const Keeping of_bea = after({}, "hold.add", hold_of("bea's", {{"mailboxes", bea.text()}}));
  EXPECT_EQ(refusal(of_bea, "mailbox.remove", {{"mailbox", bea.text()}}), ErrorKind::denied);
  EXPECT_EQ(after(of_bea, "mailbox.remove", {{"mailbox", ann.text()}}).removals.size(), 1U);
  const Keeping of_contacts = after({}, "hold.add", hold_of("contacts", {{"types", "contact"}}));
  EXPECT_EQ(refusal(of_contacts, "mailbox.remove", {{"mailbox", ann.text()}}), ErrorKind::denied);
}

TEST(Keeping, what_is_wrong_is_named) {
  for (const char* days : {"0", "36136", "-1", "1.5", "", "never"})
    EXPECT_EQ(refusal({}, "retention.set", {{"days", days}}), ErrorKind::invalid_input) << days;
  EXPECT_EQ(refusal({}, "retention.set", {{"days", "5"}, {"type", "fax"}}), ErrorKind::invalid_input);
  EXPECT_EQ(refusal({}, "retention.set", {{"days", "5"}, {"mailbox", "ann"}}), ErrorKind::invalid_input);
  EXPECT_EQ(refusal({}, "hold.add", {{"hold", Id::random().text()}, {"name", "x"}}), ErrorKind::invalid_input) << "no reason";
  EXPECT_EQ(refusal({}, "hold.add", hold_of("x", {{"items", Id::random().text()}})), ErrorKind::invalid_input)
      << "items without their mailbox";
  EXPECT_EQ(refusal({}, "hold.add", hold_of("x", {{"from", "2026-02-02"}, {"to", "2026-02-01"}})), ErrorKind::invalid_input);
  EXPECT_EQ(refusal({}, "hold.add", hold_of("line\nbreak")), ErrorKind::invalid_input);
  EXPECT_EQ(refusal(after({}, "hold.add", hold_of("x")), "hold.add", hold_of("x")), ErrorKind::already_exists);
  EXPECT_EQ(refusal({}, "hold.remove", {{"hold", Id::random().text()}}), ErrorKind::not_found);
  auto of_the_region = operation("retention.set", {{"days", "5"}});
  of_the_region.tenant = region_tenant();
  EXPECT_FALSE(changed_by(of_the_region, {}));
}

TEST(Keeping, comes_back_as_it_was_written) {
  Keeping keeping = after({}, "retention.set", {{"days", "30"}, {"mailbox", ann.text()}, {"type", "note"}});
  keeping = after(
      keeping, "hold.add",
      hold_of("Case 7", {{"mailboxes", ann.text()}, {"items", Id::random().text()}, {"types", "mail"}, {"from", "2026-01-01"}}));
  keeping = after(keeping, "mailbox.remove", {{"mailbox", bea.text()}});
  const std::string bytes = write_keeping(keeping);
  EXPECT_EQ(parse_keeping(bytes).value(), keeping);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(parse_keeping(bytes.substr(0, size))) << size;
}

}  // namespace
}  // namespace mailhold::access
