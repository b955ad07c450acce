// What retention would do, by the same rule that decides what it does: fate_of.
#include <algorithm>
#include <set>
#include <tuple>

#include "features/recover/retention.h"

namespace mailhold::recover {
namespace {

constexpr std::size_t versions_max = 10'000'000;
constexpr std::size_t versions_at_once = 1'000;
constexpr std::uint32_t never = UINT32_MAX;

// A version that ended: on which day it goes, or never.
struct Ended {
  Id item, message, mailbox;
  std::uint8_t type = 0;
  std::uint64_t bytes = 0;
  std::uint32_t day = never;    // as it will be
  std::uint32_t due = never;    // as it would be without holds
  std::size_t hold = SIZE_MAX;  // that covers it, by its place in the rules
};

struct Picture {
  std::vector<Ended> ended;
  std::set<Id> open_items, open_messages;
};

// The day on which the last version with that key goes, under `day_of`.
template <class Key, class DayOf>
std::map<Id, std::uint32_t> last_days(const Picture& picture, const std::set<Id>& open, Key key, DayOf day_of_version) {
  std::map<Id, std::uint32_t> last;
  for (const Ended& version : picture.ended) {
    const Id id = key(version);
    auto [found, is_new] = last.emplace(id, day_of_version(version));
    if (!is_new) found->second = std::max(found->second, day_of_version(version));
    if (open.contains(id)) found->second = never;
  }
  return last;
}

Id item_of(const Ended& version) { return version.item; }
Id message_of(const Ended& version) { return version.message; }

}  // namespace

Result<Simulation> Retention::simulate(Id tenant, const access::Keeping& keeping, std::uint32_t through,
                                       const Deadline& deadline) {
  const std::uint32_t today = day_of(parts_.clock.now());
  Picture picture;
  const auto take = [&](const Mailbox& mailbox, const ItemRow& version) {
    const Fate fate = fate_of(keeping, mailbox.id, version);
    Ended ended{version.id, version.message, mailbox.id, static_cast<std::uint8_t>(version.head.type), version.bytes};
    if (fate.ends_at) ended.due = std::max(day_of(*fate.ends_at), today);
    if (fate.hold == nullptr) ended.day = ended.due;
    if (fate.hold != nullptr) ended.hold = static_cast<std::size_t>(fate.hold - keeping.holds.data());
    picture.ended.push_back(ended);
  };
  ASSIGN_OR_RETURN(const std::vector<Mailbox> mailboxes, parts_.book.mailboxes(deadline));
  for (const Mailbox& mailbox : mailboxes) {
    if (mailbox.tenant != tenant) continue;
    ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, parts_.book.all_folders(mailbox, deadline));
    for (const FolderRow& folder : folders) {
      ASSIGN_OR_RETURN(const auto open, parts_.book.open_versions(folder.id, deadline));
      for (const BackupBook::OpenVersion& version : open) {
        picture.open_items.insert(version.item);
        picture.open_messages.insert(version.message);
      }
      BackupBook::VersionMark mark;
      for (bool more = true; more;) {
        ASSIGN_OR_RETURN(const BackupBook::EndedVersions ended,
                         parts_.book.ended_versions(folder, INT64_MAX, mark, versions_at_once, deadline));
        for (const ItemRow& version : ended.versions) take(mailbox, version);
        mark = ended.mark;
        more = ended.read == versions_at_once;
        if (picture.ended.size() > versions_max)
          return Error{ErrorKind::limit_exceeded, "more than ten million versions have ended: ask for a tenant's part"};
      }
    }
  }

  const auto as_it_will_be = [](const Ended& version) { return version.day; };
  const auto without_holds = [](const Ended& version) { return version.due; };
  auto item_ends = last_days(picture, picture.open_items, item_of, as_it_will_be);
  auto content_ends = last_days(picture, picture.open_messages, message_of, as_it_will_be);
  auto item_due = last_days(picture, picture.open_items, item_of, without_holds);
  auto content_due = last_days(picture, picture.open_messages, message_of, without_holds);
  std::map<std::tuple<std::uint32_t, Id, std::uint8_t>, Simulation::Amount> vanishing;
  std::map<std::tuple<std::size_t, Id, std::uint8_t>, Simulation::Amount> held;
  // An item, and a content, counts once: with the version that is its last.
  const auto add = [](Simulation::Amount& amount, const Ended& version, std::uint32_t day, auto& items, auto& contents) {
    ++amount.versions;
    const auto item = items.find(version.item);
    if (item != items.end() && item->second == day) {
      ++amount.items;
      items.erase(item);
    }
    const auto content = contents.find(version.message);
    if (content != contents.end() && content->second == day) {
      amount.bytes += version.bytes;
      contents.erase(content);
    }
  };
  for (const Ended& version : picture.ended) {
    if (version.day <= through)
      add(vanishing[{version.day, version.mailbox, version.type}], version, version.day, item_ends, content_ends);
    if (version.hold != SIZE_MAX && version.due <= through)
      add(held[{version.hold, version.mailbox, version.type}], version, version.due, item_due, content_due);
  }
  Simulation simulation;
  for (const auto& [key, amount] : vanishing)
    simulation.vanishing.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), amount});
  for (const auto& [key, amount] : held) {
    const access::Hold& hold = keeping.holds[std::get<0>(key)];
    simulation.held.push_back({hold.id, hold.name, std::get<1>(key), std::get<2>(key), amount});
  }
  return simulation;
}

}  // namespace mailhold::recover
