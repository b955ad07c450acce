// DavMailbox: the calendars (CalDAV, RFC 4791) and address books (CardDAV, RFC 6352) of one account as a MailboxTarget. Uses
// sync-collection (RFC 6578) where the server offers it, else its ctag and a listing of ETags. Contents are handed on and never
// looked into.
//
// A folder is {"Calendars", NAME} or {"Address books", NAME}; its id is the collection's path. The id of an item is its name in
// the collection and its ETag. There are no flags, no dates and no categories beside the content: received_at is 0.
#pragma once

#include <map>

#include "features/mailboxes/dav/dav_mark.h"
#include "features/mailboxes/dav/dav_session.h"
#include "features/mailboxes/mailbox.h"
#include "formats/dav/dav_request.h"
#include "formats/dav/multistatus.h"

namespace mailhold::mailboxes {

inline constexpr std::string_view calendars_name = "Calendars";
inline constexpr std::string_view address_books_name = "Address books";

struct DavSettings {
  std::size_t item_bytes_max = 32U << 20;
  std::size_t contents_at_once = 50;       // of a multiget
  std::uint64_t bytes_at_once = 8U << 20;  // of them, as the server tells their size; 0: each item is asked for by GET
  std::size_t answer_bytes_max = 48U << 20;
  DavSession::HearRest hear_rest{};
};

class DavMailbox final : public ScratchTarget {
 public:
  // Finds the account's collections. `dial` opens sessions, now and whenever the server has closed one.
  static Result<std::unique_ptr<DavMailbox>> open(DavSession::Dial dial, const DavSettings& settings, const Deadline& deadline);

  Result<std::vector<Folder>> folders(const Deadline& deadline) override;
  ItemTypes holds(const Folder& folder) const override;
  Result<Changes> changes(const Folder& folder, std::string_view mark, std::size_t limit, const Deadline& deadline) override;
  Status fetch(const Folder& folder, const std::vector<std::string>& ids, const Sink& sink, const Deadline& deadline) override;
  Result<bool> is_there(const Folder& folder, const Deadline& deadline) override;
  Result<std::vector<ItemHead>> list(const Folder& folder, const Deadline& deadline) override;
  Result<Folder> make_folder(const FolderPath& path, const Deadline& deadline) override;
  // By PUT under the name it had, and only if there is nothing of that name (If-None-Match: *).
  Result<std::string> add(const Folder& folder, const Item& item, const Deadline& deadline) override;
  // By PUT, and only over the version that has that ETag (If-Match), which must be a strong one.
  Result<std::string> replace(const Folder& folder, const std::string& id, const Item& item, const Deadline& deadline) override;
  // A collection of the kind of `like`, called scratch_name(job) and a number.
  Result<Folder> make_scratch(Id job, const FolderPath& like, const Deadline& deadline) override;
  Status remove_scratch(Id job, const Deadline& deadline) override;
  // unsupported: there are no flags.
  Status set_flags(const Folder& folder, const std::string& id, const std::vector<std::string>& flags,
                   const Deadline& deadline) override;

 private:
  struct Collection {
    Folder folder;
    dav::CollectionKind kind = dav::CollectionKind::calendar;
    ItemType type = ItemType::event;  // of what it is for
    ItemTypes holds;
  };
  // The state of a collection as the server tells it now.
  struct State {
    std::string sync_token, ctag;
  };
  DavMailbox(DavSession::Dial dial, const DavSettings& settings)
      : session_(std::move(dial), settings.hear_rest), settings_(settings) {}
  Status discover(const Deadline& deadline);
  Result<dav::Resource> find_properties(std::string path, const std::string& body, const Deadline& deadline);
  Result<dav::Multistatus> propfind(const std::string& path, int depth, const std::string& body, const Deadline& deadline);
  Result<dav::Multistatus> multistatus_of(const Result<DavAnswer>& answer) const;
  const Collection* collection_of(const Folder& folder) const;
  Result<State> state_of(const Folder& folder, const Deadline& deadline);
  Result<std::vector<ItemHead>> list_items(const Folder& folder, const Deadline& deadline);
  std::optional<ItemHead> head_of(const dav::Resource& resource, const Folder& folder) const;
  Result<Changes> list_on(const Folder& folder, DavMark mark, std::size_t limit, const Deadline& deadline);
  // Nothing if the server no longer knows the token.
  Result<std::optional<Changes>> sync(const Folder& folder, const DavMark& mark, std::size_t limit, const Deadline& deadline);
  Status fetch_some(const Folder& folder, const std::map<std::string, std::string>& wanted, const Sink& sink,
                    const Deadline& deadline);
  Status fetch_one(const Folder& folder, const std::string& name, const std::string& id, const Sink& sink,
                   const Deadline& deadline);
  ContentForm form_of(const Folder& folder) const;
  Result<DavAnswer> put(const std::string& path, const std::string& condition, const Item& item, const Deadline& deadline);
  Result<Folder> make_collection(const FolderPath& path, const std::string& name, const Deadline& deadline);

  DavSession session_;
  const DavSettings settings_;
  std::vector<std::string> calendar_homes_, address_book_homes_;
  std::vector<Collection> collections_;         // as last listed
  std::map<std::string, std::uint64_t> sizes_;  // by id, as told in this session
  std::string listed_folder_;                   // whose listing is kept between two steps
  std::vector<ItemHead> listing_;
  std::size_t scratches_ = 0;  // made in this session
};

}  // namespace mailhold::mailboxes
