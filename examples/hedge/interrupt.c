/* SPDX-License-Identifier: MIT
 * interrupt.c: Ctrl-C and SIGTERM as something to wait for, so that work ends between two rows. */
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_int caught; /* lock-free, so a handler may store it */
static int event = -1;

void interrupt_wake(void)
{
    const uint64_t one = 1;

    if (event >= 0 && write(event, &one, sizeof one) < 0) return; /* full: it is awake already */
}

static void note(int number)
{
    const int saved = errno;

    atomic_store(&caught, number);
    interrupt_wake();
    errno = saved;
}

static void catch_one(int number)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;

    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

void interrupt_catch(void)
{
    const int made = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    /* Where standard input or output is closed, its number must not be taken. */
    if (made >= 0) {
        event = fcntl(made, F_DUPFD_CLOEXEC, 3);
        close(made);
    }
    catch_one(SIGINT);
    catch_one(SIGTERM);
}

bool interrupt_came(void)
{
    return atomic_load(&caught) != 0;
}

int interrupt_fd(void)
{
    return event;
}

void interrupt_end(void)
{
    const int number = atomic_load(&caught);

    if (number == 0) return;
    signal(number, SIG_DFL);
    raise(number);
}
