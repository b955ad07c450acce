#include <gtest/gtest.h>

#include "fakes/imap_server.h"
#include "features/mailboxes/imap/imap_mailbox.h"

namespace mailhold::mailboxes {
namespace {

std::string name_of_folder(std::string_view attribute) {
  return "Folder " + std::string(attribute.substr(std::min<std::size_t>(1, attribute.size())));
}

TEST(ImapSpecialUse, each_use_of_rfc_6154_is_told_in_any_case_and_no_other) {
  FakeImapServer server;
  const std::pair<const char*, SpecialUse> uses[] = {
      {"\\All", SpecialUse::all},         {"\\Archive", SpecialUse::archive}, {"\\DRAFTS", SpecialUse::drafts},
      {"\\flagged", SpecialUse::flagged}, {"\\Junk", SpecialUse::junk},       {"\\Sent", SpecialUse::sent},
      {"\\Trash", SpecialUse::trash},     {"\\Important", SpecialUse::none},  {"", SpecialUse::none}};
  for (const auto& [attribute, use] : uses)
    server.folders[name_of_folder(attribute)].attributes = std::string("\\HasNoChildren ") + attribute;
  server.folders["INBOX"].attributes = "\\Sent";
  const Deadline deadline = Deadline::after(std::chrono::seconds(10));
  auto socket = server.open(Id(), Id(), "backup.read", deadline);
  ASSERT_TRUE(socket);
  {
    auto mailbox = ImapMailbox::open(net::stream_over(socket->release()), false, {}, deadline);
    ASSERT_TRUE(mailbox);
    const auto folders = (*mailbox)->folders(deadline);
    ASSERT_TRUE(folders);
    EXPECT_EQ(folders->size(), std::size(uses) + 1);
    for (const Folder& folder : *folders) {
      SpecialUse wanted = SpecialUse::inbox;
      for (const auto& [attribute, use] : uses) wanted = folder.id == name_of_folder(attribute) ? use : wanted;
      EXPECT_EQ(folder.use, wanted) << folder.id;
    }
  }
  server.finish_sessions();
}

}  // namespace
}  // namespace mailhold::mailboxes
