/* bank_sample.h - the parts of a bank's contract as tests write them: a test
 * puts its account together of these and of what it is about. */

#ifndef CONTRACT_PROGRAM_BANK_SAMPLE_H
#define CONTRACT_PROGRAM_BANK_SAMPLE_H

/* The members, of which some is held for transfers. */
#define BANK_MEMBERS                                   \
    "    owner:   text(80) = \"\"\n"                   \
    "    balance: int(0 .. 1_000_000_000) = 0\n"       \
    "    held:    int(0 .. 1_000_000_000) = 0\n"       \
    "    status:  unopened | open | frozen | closed\n" \
    "    invariant fits: balance + held <= 1_000_000_000\n"

#define BANK_CLOSED_IS_EMPTY                                               \
    "    invariant closed_is_empty: status == closed => balance == 0 and " \
    "held == 0\n"

#define BANK_STEPS                                                           \
    "    step open(name: text(80)) when status == unopened {\n"              \
    "        require name != \"\" else \"an account needs an owner\"\n"      \
    "        owner  = name\n"                                                \
    "        status = open\n"                                                \
    "    }\n"                                                                \
    "    step deposit(amount: int(1 .. 1_000_000)) when status == open {\n"  \
    "        balance += amount\n"                                            \
    "    }\n"                                                                \
    "    step withdraw(amount: int(1 .. 1_000_000)) when status == open {\n" \
    "        require amount <= balance else \"insufficient funds\"\n"        \
    "        balance -= amount\n"                                            \
    "    }\n"

#define BANK_FREEZE                                                 \
    "    step freeze   when status == open   { status = frozen }\n" \
    "    step unfreeze when status == frozen { status = open }\n"

/* What a transfer takes of who pays. */
#define BANK_HOLD                                                              \
    "    internal step hold(amount: int(1 .. 1_000_000)) when status == open " \
    "{\n"                                                                      \
    "        require amount <= balance else \"insufficient funds\"\n"          \
    "        balance -= amount\n"                                              \
    "        held    += amount\n"                                              \
    "    }\n"                                                                  \
    "    internal step release(amount: int(1 .. 1_000_000)) when amount <= "   \
    "held {\n"                                                                 \
    "        held    -= amount\n"                                              \
    "        balance += amount\n"                                              \
    "    }\n"                                                                  \
    "    internal step settle(amount: int(1 .. 1_000_000)) when amount <= "    \
    "held {\n"                                                                 \
    "        held -= amount\n"                                                 \
    "    }\n"

/* The steps of the saga, behind its head. */
#define BANK_TRANSFER                                            \
    "    require from != to else \"the two accounts are one\"\n" \
    "    from.hold(amount)    undo from.release(amount)\n"       \
    "    to.deposit(amount)\n"                                   \
    "    then from.settle(amount)\n"

#endif /* CONTRACT_PROGRAM_BANK_SAMPLE_H */
