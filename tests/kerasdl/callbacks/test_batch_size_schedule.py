import keras
import numpy as np
import pytest

from kerasdl.callbacks import BatchSizeSchedule, ScheduledBatches


def numbered(**settings):
    """Samples that carry their number."""
    x = np.arange(10, dtype="float32")
    return ScheduledBatches({"a": x, "b": -x}, x, **settings)


def drawn(data):
    return np.concatenate([data[index][1] for index in range(data.num_batches)])


def test_an_epoch_is_one_pass_by_default():
    data = numbered(batch_size=5)
    assert data.num_batches == 2
    np.testing.assert_array_equal(np.sort(drawn(data)), np.arange(10))


def test_the_stream_goes_on_over_epochs_and_leaves_no_sample_out():
    data = numbered(batch_size=2, steps=2)
    seen = [drawn(data)]
    for size in (3, 3, 2):
        data.advance(size)
        seen.append(drawn(data))
    assert [len(epoch) for epoch in seen] == [4, 6, 6, 4]
    for one_pass in np.concatenate(seen).reshape(2, 10):
        np.testing.assert_array_equal(np.sort(one_pass), np.arange(10))


def test_inputs_and_targets_stay_together():
    x, y = numbered(batch_size=4)[0]
    np.testing.assert_array_equal(x["a"], y)
    np.testing.assert_array_equal(x["b"], -y)


class SizeProbe(keras.layers.Layer):
    """Counts the samples it was given in training."""

    def build(self, shape):
        self.total = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.total.assign_add(keras.ops.cast(keras.ops.shape(inputs)[0], "float32"))
        return inputs


def test_batches_have_the_size_of_their_epoch(problem):
    probe = SizeProbe()
    model = problem.model(probe)
    data = ScheduledBatches(problem.x, problem.y, batch_size=8)
    schedule = BatchSizeSchedule(data, {0: 4, 1: 8, 3: 24})
    totals = []
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: totals.append(float(np.array(probe.get_weights()[0])))
    )
    for _ in range(2):
        totals.clear()
        probe.total.assign(0.0)
        validation = (problem.x, problem.y)
        model.fit(
            data, epochs=4, callbacks=[schedule, count], validation_data=validation, verbose=0
        )
        assert schedule.history == [4, 8, 8, 24]
        np.testing.assert_array_equal(np.diff([0, *totals]), [12, 24, 24, 72])


def test_a_fit_continued_at_a_later_epoch_has_that_epochs_size(problem):
    data = ScheduledBatches(problem.x, problem.y)
    schedule = BatchSizeSchedule(data, {0: 4, 2: 6})
    model = problem.model()
    model.fit(data, initial_epoch=1, epochs=3, callbacks=[schedule], verbose=0)
    assert schedule.history == [4, 6]


def test_two_fits_see_the_same_samples(problem):
    losses = []
    for _ in range(2):
        data = ScheduledBatches(problem.x, problem.y, seed=3)
        schedule = BatchSizeSchedule(data, {0: 4, 1: 8})
        fitted = problem.model().fit(data, epochs=2, callbacks=[schedule], verbose=0, shuffle=False)
        losses.append(fitted.history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("sizes", [{1: 4}, {}])
def test_sizes_without_epoch_0_are_refused(sizes):
    with pytest.raises(ValueError, match=r"the size of epoch 0 is missing. Give a dict"):
        BatchSizeSchedule(numbered(), sizes)


@pytest.mark.parametrize("size", [0, 2.5, None])
def test_sizes_that_are_no_positive_integers_are_refused(size):
    with pytest.raises(ValueError, match=r"sizes\[0\]=.*a positive integer is expected"):
        BatchSizeSchedule(numbered(), {0: size})
    with pytest.raises(ValueError, match=r"batch_size=.*a positive integer is expected"):
        numbered(batch_size=size)


def test_other_data_is_refused():
    with pytest.raises(TypeError, match=r"data=ndarray\): Keras fixes the batch size"):
        BatchSizeSchedule(np.ones(3), {0: 4})


def test_data_of_different_lengths_is_refused():
    with pytest.raises(ValueError, match=r"as many targets as inputs, and some: \[2, 3\]"):
        ScheduledBatches(np.ones(3), np.ones(2))
