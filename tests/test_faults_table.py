"""Every fault we promise to withstand, and the tests that show it, or the reason why nothing does."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

import pytest

TESTS = Path(__file__).parent


class Shown(NamedTuple):
    """By which tests (``file::name``), and what of it no test shows, and why."""

    by: Tuple[str, ...]
    but: str = ""


FAULTS: Dict[str, Shown] = {
    "the kernel is killed, crashes, or runs out of memory": Shown(
        (
            "test_death.py::test_it_tells_which_signal_killed_the_kernel",
            "test_death.py::test_it_tells_how_long_it_had_run",
            "test_death_forms.py::test_a_death_is_told_though_sixteen_workers_hold_every_descriptor",
            "test_death_forms.py::test_want_of_memory_is_named",
        )
    ),
    "the whole machine or container goes": Shown(
        (
            "test_death_forms.py::test_what_was_lost_with_its_machine_is_told_at_the_next_start",
            "test_store.py::test_a_run_that_ended_after_the_disk_was_full_is_not_told_as_lost",
            "channels/test_healthchecks.py::test_each_outcome_has_its_signal_and_names_its_run",
        ),
        but="that the watch outside notices the silence is its own business; what it is told is shown",
    ),
    "the group of the kernel's processes is killed or interrupted": Shown(
        (
            "test_death_forms.py::test_a_killed_group_is_told_of",
            "test_death_forms.py::test_an_interrupted_group_is_an_interrupted_cell",
            "test_death.py::test_its_courier_is_deaf_to_what_is_meant_for_groups",
        )
    ),
    "a restart while a cell runs": Shown(
        (
            "test_death.py::test_a_restart_while_busy_is_an_interrupt",
            "test_death_forms.py::test_a_restart_of_a_cell_deaf_to_interrupts_was_wanted",
            "test_death_forms.py::test_a_restart_at_once_cannot_be_told_from_a_kill",
            "test_death_forms.py::test_no_restart_and_no_shutdown_is_taken_for_a_death",
        )
    ),
    "the Jupyter server is killed": Shown(
        (
            "test_death_forms.py::test_a_killed_server_takes_an_open_cell_along",
            "test_death_forms.py::test_a_killed_server_with_an_idle_kernel_is_no_news",
        )
    ),
    "a kernel that only stops answering": Shown(("test_death_forms.py::test_a_stopped_kernel_is_not_dead",)),
    "a Python without pidfd": Shown(
        ("test_death_forms.py::test_a_death_is_told_though_sixteen_workers_hold_every_descriptor",),
        but="pidfd_open is taken away; no older system is started",
    ),
    "files that shadow modules, odd environments, installs elsewhere": Shown(
        (
            "test_launch.py::test_files_named_like_the_standard_library_do_not_matter",
            "test_launch.py::test_an_odd_environment_does_not_matter",
            "test_launch.py::test_an_install_for_one_user_is_found",
            "test_launch.py::test_a_folder_added_to_the_path_is_found",
        )
    ),
    "an orphan": Shown(
        (
            "test_courier_fire.py::test_it_leaves_when_nothing_is_left_to_do",
            "test_death.py::test_nothing_of_ours_outlives_the_work",
        )
    ),
    "the courier is killed at any point": Shown(
        (
            "test_courier_fire.py::test_killed_at_any_call_that_writes_it_loses_nothing",
            "test_courier_fire.py::test_killed_at_random_it_loses_nothing",
            "test_store.py::test_several_couriers_at_one_outbox_lose_nothing_when_they_are_killed",
        )
    ),
    "a delivery is killed, hangs, or leaves something running": Shown(
        (
            "test_deliveries.py::test_what_hangs_is_ended_and_holds_up_nobody",
            "test_deliveries.py::test_a_delivery_that_is_stopped_is_ended_and_holds_up_nobody",
            "test_deliveries.py::test_a_delivery_that_was_killed_is_made_again",
            "test_deliveries.py::test_what_a_channel_leaves_running_holds_up_nobody",
        ),
        but="the silent name server is a function that never answers, not a real one in a network of its own",
    ),
    "the network or the name server is down": Shown(
        (
            "test_retry.py::test_it_backs_off_with_jitter",
            "test_death.py::test_it_says_that_it_is_late",
            "test_deliveries.py::test_what_could_not_be_delivered_for_a_day_is_told_elsewhere_and_here",
        )
    ),
    "a certificate is wrong, or a login page answers": Shown(
        (
            "channels/test_contract.py::test_a_certificate_that_nobody_signed_stops_it",
            "channels/test_contract.py::test_a_page_for_people_is_no_success",
        )
    ),
    "the provider asks to wait": Shown(
        (
            "test_deliveries.py::test_who_asks_to_wait_is_left_alone_as_a_whole",
            "test_deliveries.py::test_another_kernel_with_the_same_key_waits_too",
            "test_deliveries.py::test_nobody_may_ask_for_more_than_six_hours",
        )
    ),
    "it may have arrived all the same": Shown(
        (
            "test_deliveries.py::test_what_may_have_arrived_says_so_when_it_comes_again",
            "channels/test_base.py::test_a_reset_behind_a_proxy_after_the_request_may_have_arrived",
            "channels/test_base.py::test_a_proxy_that_stalls_has_let_nothing_through",
        )
    ),
    "a success that is none": Shown(("channels/test_contract.py::test_an_error_inside_a_200_is_an_error",)),
    "a mail server refuses, for now, for good, or some": Shown(
        (
            "channels/test_contract.py::test_a_mail_server_s_failure_is_told_for_what_it_is",
            "channels/test_email.py::test_who_was_put_off_gets_the_mail_later_and_nobody_twice",
            "channels/test_email.py::test_another_try_has_the_same_message_id",
        )
    ),
    "an address or key is revoked": Shown(
        (
            "test_deliveries.py::test_a_revoked_address_is_put_aside_and_told_once",
            "test_deliveries.py::test_it_says_once_how_to_mend_a_revoked_address_and_uses_the_new_one",
            "test_deliveries.py::test_a_test_knock_brings_a_revoked_address_back",
        )
    ),
    "a token has expired, and two kernels renew it": Shown(
        ("channels/test_kakao.py::test_sixteen_processes_renew_a_token_exactly_once",)
    ),
    "the disk is full, read-only, or fails": Shown(
        (
            "test_store.py::test_on_a_full_disk_it_goes_on_elsewhere",
            "test_store.py::test_a_read_only_home_is_left_for_the_runtime_folder",
            "test_store.py::test_where_the_state_folder_fails_it_goes_on_in_the_runtime_folder",
            "test_store.py::test_where_both_fail_it_goes_on_in_memory",
        )
    ),
    "the outbox is broken, locked, or far away": Shown(
        (
            "test_store.py::test_a_broken_outbox_is_moved_aside_and_a_new_one_begun",
            "test_store.py::test_flipped_bytes_never_stop_it",
            "test_store.py::test_on_a_network_file_system_it_uses_the_older_journal",
        ),
        but="no real network file system: its mount table is a file, and its failing locks are injected",
    ),
    "several kernels share one outbox": Shown(
        (
            "test_outbox.py::test_only_one_claim_wins",
            "test_store.py::test_many_couriers_can_begin_one_outbox_at_once",
            "test_store.py::test_only_who_has_the_same_settings_takes_over",
        )
    ),
    "the clock jumps, or the machine sleeps": Shown(
        (
            "test_clocks.py::test_a_cell_lasts_as_long_as_it_did_though_the_wall_clock_is_set",
            "test_clocks.py::test_what_the_machine_slept_is_told_and_not_counted",
            "test_clocks.py::test_what_waits_is_not_held_up_by_a_clock_that_is_set_back",
            "test_clocks.py::test_what_is_on_its_way_is_not_sent_again_by_a_clock_that_is_set_forward",
        ),
        but="the machine is not really put to sleep: the two clocks that tell of it are",
    ),
    "the kernel forks": Shown(
        (
            "test_courier_fire.py::test_a_forked_child_speaks_for_itself_only",
            "test_courier_fire.py::test_forks_at_any_moment_harm_nobody",
        )
    ),
    "the pipe is full, or the courier stopped": Shown(
        (
            "test_courier_fire.py::test_a_stopped_courier_holds_up_no_cell",
            "test_courier_fire.py::test_a_full_pipe_costs_no_end",
        )
    ),
    "a secret on its way out": Shown(
        (
            "test_secrets.py::test_no_canary_is_heard",
            "test_secrets.py::test_no_canary_is_heard_where_no_process_can_be_started",
            "test_secrets.py::test_no_canary_is_heard_in_a_saved_notebook",
            "test_secrets.py::test_our_processes_get_no_settings_of_channels",
            "test_death.py::test_no_secret_rests_anywhere",
            "channels/test_contract.py::test_what_a_server_says_back_is_shown_without_secrets",
        )
    ),
    "files that others can read, and traps in their place": Shown(
        (
            "test_folders.py::test_all_is_private_from_its_first_moment",
            "test_folders.py::test_all_that_a_kernel_leaves_is_its_owners_alone",
            "test_folders.py::test_an_outbox_that_is_a_trap_is_refused",
            "test_folders.py::test_a_key_that_is_a_trap_is_refused",
            "test_folders.py::test_what_belongs_to_another_user_is_refused",
        )
    ),
    "a redirect, or an address within the machine": Shown(
        (
            "channels/test_contract.py::test_a_failure_is_told_for_what_it_is",
            "channels/test_contract.py::test_nothing_is_sent_to_where_a_cloud_keeps_its_keys",
        )
    ),
    "encryption is offered no more": Shown(
        (
            "channels/test_email.py::test_a_server_without_starttls_gets_nothing",
            "channels/test_email.py::test_a_password_is_not_sent_unencrypted_to_this_machine_either",
            "channels/test_contract.py::test_a_mail_server_whose_certificate_nobody_signed_gets_nothing",
        )
    ),
    "a proxy, and certificates of the user's own": Shown(
        (
            "channels/test_base.py::test_the_user_s_proxy_is_used_and_looks_the_name_up",
            "channels/test_base.py::test_the_user_s_certificates_are_trusted",
        )
    ),
    "an outbox of a later version": Shown(
        (
            "test_store.py::test_a_later_version_of_the_file_is_used_as_it_is",
            "test_store.py::test_what_waits_in_a_later_version_can_be_taken_into_this_one",
        )
    ),
    "wild text": Shown(
        (
            "test_wild_text.py::test_any_text_can_be_sent",
            "test_wild_text.py::test_whatever_is_thrown_is_told",
            "test_cleaning.py::test_a_huge_text_costs_no_more_than_its_beginning",
        )
    ),
    "a template or the settings file is broken": Shown(
        (
            "test_template.py::test_a_broken_template_costs_no_knock",
            "test_settings_file.py::test_a_broken_file_is_named_with_line_and_what_was_expected",
            "test_settings_file.py::test_the_last_good_settings_are_used_while_the_file_is_broken",
        )
    ),
    "a loop of failing cells": Shown(
        (
            "test_noise.py::test_a_thousand_failures_make_one_knock_and_one_digest_at_each_channel",
            "test_noise.py::test_a_loop_of_failing_cells_knocks_first_and_then_in_one",
        )
    ),
    "Restart & Run All": Shown(("test_noise.py::test_restart_and_run_all_makes_one_summary",)),
    "many ranks": Shown(
        (
            "test_noise.py::test_failures_of_many_ranks_are_one_knock",
            "test_noise.py::test_only_the_first_rank_tells_of_a_good_end",
        )
    ),
    "no processes or threads are left": Shown(
        (
            "test_launch.py::test_without_a_process_a_thread_knocks",
            "test_launch.py::test_at_the_limit_of_processes_cells_run_and_knocks_wait",
        )
    ),
}


def names_in(file: str) -> List[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return [node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_shown_by_tests_that_exist_or_says_why_not(fault: str) -> None:
    shown = FAULTS[fault]

    assert shown.by or shown.but
    for test in shown.by:
        file, _, name = test.partition("::")
        assert name in names_in(file), test
