import { descriptorSet } from "@plumbline/contracts";
import { readDescriptors } from "@plumbline/transcoding";

/** Plumbline's own protos. */
export const plumbline = readDescriptors(descriptorSet);
