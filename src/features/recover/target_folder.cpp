#include "features/recover/target_folder.h"

#include <algorithm>

#include "platform/crypto/hash.h"

namespace mailhold::recover {

using mailboxes::ItemHead;

Result<TargetFolder> TargetFolder::open(mailboxes::MailboxTarget& target, const mailboxes::FolderPath& path, bool makes,
                                        const Deadline& deadline) {
  TargetFolder opened(target);
  ASSIGN_OR_RETURN(const std::vector<mailboxes::Folder> folders, target.folders(deadline));
  for (const mailboxes::Folder& folder : folders) {
    if (folder.path == path && folder.holds_items) opened.folder_ = folder;
  }
  if (!opened.folder_ && makes) {
    ASSIGN_OR_RETURN(opened.folder_, target.make_folder(path, deadline));
  }
  if (!opened.folder_) return opened;
  ASSIGN_OR_RETURN(std::vector<ItemHead> heads, target.list(*opened.folder_, deadline));
  for (ItemHead& head : heads) {
    if (const auto name = mailboxes::item_name(head.id); !name.empty()) opened.by_name_.emplace(name, head.id);
    if (head.received_at != 0) opened.by_date_.emplace(head.received_at, head.id);
    if (head.bytes_claimed != 0) opened.by_size_.emplace(head.bytes_claimed, head.id);
    std::string id = head.id;
    opened.heads_.emplace(std::move(id), std::move(head));
  }
  return opened;
}

std::vector<std::string> TargetFolder::candidates(const ItemRow& item) const {
  std::vector<std::string> ids;
  const auto add = [&](const auto& index, const auto& key) {
    const auto [begin, end] = index.equal_range(key);
    for (auto at = begin; at != end; ++at) {
      if (!taken_.contains(at->second) && std::find(ids.begin(), ids.end(), at->second) == ids.end()) ids.push_back(at->second);
    }
  };
  add(by_name_, mailboxes::item_name(item.head.id));
  add(by_date_, item.head.received_at);
  add(by_size_, item.bytes);
  return ids;
}

std::optional<std::string> TargetFolder::id_of_same_name(const ItemRow& item) const {
  const auto named = by_name_.find(mailboxes::item_name(item.head.id));
  if (named == by_name_.end() || taken_.contains(named->second)) return std::nullopt;
  return named->second;
}

bool TargetFolder::take_again(const std::string& id) {
  auto known = heads_.find(id);
  if (const auto named = by_name_.find(mailboxes::item_name(id)); known == heads_.end() && named != by_name_.end())
    known = heads_.find(named->second);
  return known != heads_.end() && taken_.insert(known->first).second;
}

ItemHead TargetFolder::take(const std::string& id) {
  taken_.insert(id);
  return heads_.at(id);
}

Result<std::string> TargetFolder::content_of(const std::string& id, const Deadline& deadline) {
  std::string bytes;
  mailboxes::MailboxSource::Sink sink;
  sink.take = [&](mailboxes::MailboxSource::Content content) -> Status {
    bytes = std::move(content.bytes);
    return done();
  };
  const Status fetched = target_->fetch(*folder_, {id}, sink, deadline);
  if (!fetched && fetched.error().kind != ErrorKind::denied) return fetched.error();
  return bytes;
}

Result<std::string> TargetFolder::sha256_of(const std::string& id, const Deadline& deadline) {
  RETURN_IF_ERROR(read_hashes({id}, deadline));
  return read_->hashes[id];
}

Status TargetFolder::read_hashes(const std::vector<std::string>& wanted, const Deadline& deadline) {
  std::map<std::string, std::string>& hashes = read_->hashes;
  std::vector<std::string> ids;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(ids), [&](const auto& id) { return !hashes.contains(id); });
  if (!folder_ || ids.empty()) return done();
  mailboxes::MailboxSource::Sink sink;
  sink.take = [&](mailboxes::MailboxSource::Content content) -> Status {
    hashes[content.id] = crypto::sha256(content.bytes);
    return done();
  };
  const Status fetched = target_->fetch(*folder_, ids, sink, deadline);
  if (!fetched && fetched.error().kind != ErrorKind::denied) return fetched;
  // Where some were refused the others are asked for one by one later.
  if (fetched || ids.size() == 1) {
    for (const std::string& id : ids) hashes.try_emplace(id);
  }
  return done();
}

std::vector<std::string> TargetFolder::candidates(const std::vector<const ItemRow*>& items) const {
  std::set<std::string> all;
  for (const ItemRow* item : items) {
    for (const std::string& id : candidates(*item)) all.insert(id);
  }
  return {all.begin(), all.end()};
}

Result<std::optional<ItemHead>> TargetFolder::take_equal(const ItemRow& item, const Deadline& deadline) {
  for (const std::string& id : candidates(item)) {
    ASSIGN_OR_RETURN(const std::string hash, sha256_of(id, deadline));
    if (!item.has_content(hash)) continue;
    taken_.insert(id);
    return std::optional<ItemHead>(heads_.at(id));
  }
  return std::optional<ItemHead>();
}

Result<std::optional<ItemHead>> TargetFolder::take_for(const ItemRow& item, const std::string& id, const Deadline& deadline) {
  auto known = heads_.find(id);
  // A server may give what it took another version at once, or not tell it: the name stays.
  if (const auto named = by_name_.find(mailboxes::item_name(id.empty() ? item.head.id : id));
      known == heads_.end() && named != by_name_.end())
    known = heads_.find(named->second);
  if (!id.empty() && known == heads_.end()) return std::optional<ItemHead>();
  if (known != heads_.end()) {
    taken_.insert(id);
    return std::optional<ItemHead>(known->second);
  }
  ASSIGN_OR_RETURN(std::optional<ItemHead> equal, take_equal(item, deadline));
  if (equal) return equal;
  const std::vector<std::string> near = candidates(item);
  if (near.empty()) return std::optional<ItemHead>();
  taken_.insert(near.front());
  return std::optional<ItemHead>(heads_.at(near.front()));
}

Status TargetFolder::add_all(const mailboxes::MailboxTarget::Additions& additions, const Deadline& deadline) {
  if (!folder_) return Error{ErrorKind::bug, "a folder that was not made"};
  return target_->add_all(*folder_, additions, deadline);
}

Result<std::string> TargetFolder::replace(const std::string& id, const mailboxes::Item& item, const Deadline& deadline) {
  taken_.insert(id);
  return target_->replace(*folder_, id, item, deadline);
}

Status TargetFolder::set_flags(const std::string& id, const std::vector<std::string>& flags, const Deadline& deadline) {
  return target_->set_flags(*folder_, id, flags, deadline);
}

}  // namespace mailhold::recover
